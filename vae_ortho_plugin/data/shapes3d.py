# SPDX-License-Identifier: Apache-2.0
"""Shapes3D, from the public 3dshapes.h5 or from dlib's npz file.

dlib's class reads a npz file that was never published, and holds the images as float32: 24 GB.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import check_file, exists, reading
from vae_ortho_plugin.data.files.read_files import cached, has_hash
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import StoredFiles, StoredImages, check_array, flat, grid
from vae_ortho_plugin.errors import InputError

# Below the data root.
FILE = Path("3dshapes", "3dshapes.h5")
NPZ_FILE = FILE.with_name(
    "look-at-object-room_floor-hueXwall-hueXobj-hueXobj-sizeXobj-shapeXview-azi.npz"
)
# Numbers of values of floor hue, wall hue, object hue, object size, object type and azimuth.
SIZES = (10, 10, 10, 8, 4, 15)
_SIZE_BYTES = 267_573_662
_SHA256 = "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"


def check_public(path: Path) -> None:
    """Raises InputError unless `path` is a HDF5 file with the arrays of Shapes3D."""
    with _opened_h5(path):
        pass


def load_shapes3d(path: Path) -> StoredImages:
    """The images, uint8 [n, 64, 64, 3], of dlib's npz file or, where it is missing, 3dshapes.h5 beside it."""
    path = path if exists(path) else path.with_name(FILE.name)
    check_file(path)
    with open(path, "rb") as file:
        is_npz = file.read(2) == b"PK"
    origin = None  # nothing is published that dlib's npz file could be compared with
    if not is_npz and not has_hash(path, _SHA256, _SIZE_BYTES):
        origin = f"{path.name} is not the published file"
    images = _load_npz(path) if is_npz else cached("shapes3d", [path], lambda: _load_h5(path))
    return StoredImages(images, SIZES, origin=origin)


FILES = StoredFiles("shapes3d", NPZ_FILE, load_shapes3d, ("shapes3d", "SHAPES3D_PATH"))
_URL = f"https://storage.googleapis.com/3d-shapes/{FILE.name}"
DOWNLOAD = Download(
    (Remote(FILE, (_URL,), _SHA256, check_public),),
    "268 MB",
    "Apache 2.0",
    "https://github.com/google-deepmind/3d-shapes",
    f"take {FILE.name} from the homepage's link and put it at {{root}}/{FILE}",
)


@contextlib.contextmanager
def _opened_h5(path: Path) -> Iterator:
    """Within: the HDF5 file, which has the arrays of Shapes3D."""
    import h5py

    number = math.prod(SIZES)
    expected = {"images": ("uint8", (number, 64, 64, 3)), "labels": ("float64", (number, 6))}
    with reading(path, "damaged, or not a HDF5 file", OSError), h5py.File(path, "r") as file:
        for key, (dtype, shape) in expected.items():
            if not isinstance(file.get(key), h5py.Dataset):
                raise InputError(
                    f"{path}: not in the layout of Shapes3D (there is no array {key!r}; it has "
                    f"{', '.join(file) or 'none'})."
                )
            check_array(path, key, file[key], dtype, shape)
        _check_labels(path, file["labels"][()])
        yield file


def _check_labels(path: Path, labels: np.ndarray) -> None:
    """Raises InputError unless labels [n, 6] are all combinations, the last factor fastest."""
    classes = [np.unique(column, return_inverse=True)[1].ravel() for column in labels.T]
    if not np.array_equal(np.stack(classes, 1), grid(SIZES)):
        raise InputError(
            f"{path}: its labels are not all combinations of factors of sizes {SIZES} in order."
        )


def _load_h5(path: Path) -> np.ndarray:
    with _opened_h5(path) as file:
        source = file["images"]
        images = npz.aligned(source.shape)
        # A whole chunk at a time, so that each is decompressed once.
        block = source.chunks[0] if source.chunks else 4096
        for start in range(0, len(images), block):
            rows = slice(start, min(start + block, len(images)))
            source.read_direct(images, rows, rows)
    images.flags.writeable = False
    return images


def _load_npz(path: Path) -> np.ndarray:
    """As of 3dshapes.h5; images and labels of dlib's file may have an axis for each factor."""
    with npz.opened(path, "Shapes3D") as archive:
        labels = npz.small_array(archive, "labels")
    shape = math.prod(SIZES), len(SIZES)
    labels = labels.reshape(shape) if labels.size == math.prod(shape) else labels
    check_array(path, "labels", labels, labels.dtype.name, shape)
    _check_labels(path, labels)
    images = flat(npz.large_array(path, "Shapes3D", "images"))
    check_array(path, "images", images, "uint8", (math.prod(SIZES), 64, 64, 3))
    return images
