# SPDX-License-Identifier: Apache-2.0
"""Shapes3D from the public 3dshapes.h5 or from dlib's npz file, and dlib's class that uses it.

dlib's class reads a npz file that was never published, and holds the images as float32: 24 GB.
"""

import math
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data import npz
from vae_ortho_plugin.data.kept import ScaledImages, keep
from vae_ortho_plugin.data.location import check_file, dlib_path, exists, remedy
from vae_ortho_plugin.data.origin import has_hash, note
from vae_ortho_plugin.errors import InputError

# Below the data root.
FILE = Path("3dshapes", "3dshapes.h5")
NPZ_FILE = FILE.with_name(
    "look-at-object-room_floor-hueXwall-hueXobj-hueXobj-sizeXobj-shapeXview-azi.npz"
)
# Numbers of values of floor hue, wall hue, object hue, object size, object type and azimuth.
SIZES = (10, 10, 10, 8, 4, 15)
SHA256 = "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"
SIZE_BYTES = 267_573_662


def find_file() -> Path:
    """dlib's npz file where it exists, else 3dshapes.h5, which need not exist."""
    from disentanglement_lib.data.ground_truth import shapes3d

    path = dlib_path(shapes3d, "SHAPES3D_PATH", NPZ_FILE)
    return path if exists(path) else path.with_name(FILE.name)


def check_public(path: Path) -> None:
    """Raises InputError unless `path` is a HDF5 file with the arrays of Shapes3D."""
    with _opened_h5(path) as file:
        _check_h5(path, file)


def load_shapes3d(path: Path) -> np.ndarray:
    """The images, uint8 [n, 64, 64, 3], read-only, the last of the six factors fastest.

    A process reads an unchanged file once and keeps the images.

    Raises:
        InputError: there is no such file, or it is damaged or not in the layout of Shapes3D.
    """
    check_file(path)
    if _is_npz(path):
        return _load_npz(path)
    return keep("shapes3d", [path], lambda: _load_h5(path))


def initialize(self) -> None:
    """Replaces dlib's `shapes3d.Shapes3D.__init__`: the same attributes, images kept as bytes.

    Raises:
        InputError: there is no good file; the message says how to get it.
    """
    from disentanglement_lib.data.ground_truth import util

    path = find_file()
    try:
        self.images = ScaledImages(load_shapes3d(path))
    except InputError as error:
        raise InputError(f"{error} {remedy('shapes3d', path.parent)}") from error
    note("shapes3d", _origin(path))
    self.factor_sizes = list(SIZES)
    self.latent_factor_indices = list(range(len(SIZES)))
    self.num_total_factors = len(SIZES)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)
    self.factor_bases = np.prod(SIZES) / np.cumprod(SIZES)


def _is_npz(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _origin(path: Path) -> str | None:
    """Nothing is published that dlib's npz file could be compared with."""
    if _is_npz(path) or has_hash(path, SHA256, SIZE_BYTES):
        return None
    return f"{path.name} is not the published file"


def _opened_h5(path: Path):
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: damaged, or not a HDF5 file ({error}).") from error


def _check_h5(path: Path, file) -> None:
    number = math.prod(SIZES)
    for key, shape, dtype in (
        ("images", (number, 64, 64, 3), "uint8"),
        ("labels", (number, len(SIZES)), "float64"),
    ):
        if key not in file:
            raise InputError(
                f"{path}: not in the layout of Shapes3D (there is no array {key!r}; it has "
                f"{', '.join(file) or 'none'})."
            )
        if (file[key].shape, file[key].dtype.name) != (shape, dtype):
            raise InputError(
                f"{path}: expected {key} to be {dtype} of shape {shape}, found "
                f"{file[key].dtype.name} of shape {file[key].shape}."
            )
    _check_labels(path, file["labels"][()])


def _check_labels(path: Path, labels: np.ndarray) -> None:
    """Raises InputError unless labels [n, 6] are all combinations, the last factor fastest."""
    for factor, size in enumerate(SIZES):
        values, classes = np.unique(labels[:, factor], return_inverse=True)
        repeats = math.prod(SIZES[factor + 1 :])
        expected = np.arange(len(labels)) // repeats % size
        if len(values) != size or not np.array_equal(classes.ravel(), expected):
            raise InputError(
                f"{path}: its labels are not all combinations of factors of sizes {SIZES} in order."
            )


def _load_h5(path: Path) -> np.ndarray:
    with _opened_h5(path) as file:
        _check_h5(path, file)
        source = file["images"]
        images = npz.aligned(source.shape)
        # A whole chunk at a time, so that each is decompressed once.
        block = source.chunks[0] if source.chunks else 4096
        try:
            for start in range(0, len(images), block):
                rows = slice(start, min(start + block, len(images)))
                source.read_direct(images, rows, rows)
        except OSError as error:
            raise InputError(f"{path}: damaged HDF5 file ({error}).") from error
    images.flags.writeable = False
    return images


def _load_npz(path: Path) -> np.ndarray:
    number = math.prod(SIZES)
    with npz.opened(path, "Shapes3D") as archive:
        labels = npz.small_array(archive, "labels")
    images = npz.large_array(path, "Shapes3D", "images")
    if images.size != number * 64 * 64 * 3 or images.dtype != np.uint8:
        raise InputError(
            f"{path}: expected images to be {number:,} uint8 images of 64 x 64 x 3, found "
            f"{images.dtype.name} of shape {images.shape}."
        )
    if labels.size != number * len(SIZES):
        raise InputError(
            f"{path}: expected labels of {number:,} x {len(SIZES)} factors, found shape "
            f"{labels.shape}."
        )
    _check_labels(path, labels.reshape(number, len(SIZES)))
    return images.reshape(number, 64, 64, 3)
