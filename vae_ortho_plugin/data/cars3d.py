# SPDX-License-Identifier: Apache-2.0
"""The files of Cars3D, and dlib's class that uses them."""

import math
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.kept import ScaledImages, keep
from vae_ortho_plugin.data.files.location import contents, dlib_path, remedy
from vae_ortho_plugin.errors import InputError

# Below the data root: one MATLAB file a car.
FOLDER = Path("cars")
# Numbers of values of elevation, azimuth and object type.
SIZES = (4, 24, 183)


def find_files(folder: Path) -> list[Path]:
    """The MATLAB files, sorted by name, so that object types have the same number everywhere.

    Raises:
        InputError: not as many as there are cars; the message says what is there.
    """
    try:
        files = sorted(folder.glob("*.mat"))
    except OSError:
        files = []
    if len(files) != SIZES[2]:
        raise InputError(
            f"{folder}: expected {SIZES[2]} files *.mat, one a car, found {len(files)}. "
            f"{contents(folder)}"
        )
    return files


def check_folder(folder: Path) -> None:
    """Raises InputError unless the folder holds one readable file a car."""
    for file in find_files(folder):
        _shape(file)


def load_cars3d(folder: Path) -> np.ndarray:
    """The images, uint8 [4 * 24 * 183, 64, 64, 3], read-only, the object type fastest.

    A process reads unchanged files once and keeps the images.

    Raises:
        InputError: a file is missing, damaged or not in the layout of Cars3D.
    """
    files = find_files(folder)
    return keep("cars3d", files, lambda: _load(files))


def initialize(self) -> None:
    """Replaces dlib's `cars3d.Cars3D.__init__`: the same attributes, images kept as bytes.

    dlib's function fails on today's Pillow, holds the images as float64, and numbers the object
    types in the order in which the file system lists the files.

    Raises:
        InputError: the files are not good; the message says how to get them.
    """
    from disentanglement_lib.data.ground_truth import cars3d, util

    folder = dlib_path(cars3d, "CARS3D_PATH", FOLDER)
    try:
        self.images = ScaledImages(load_cars3d(folder))
    except InputError as error:
        raise InputError(f"{error} {remedy('cars3d', folder)}") from error
    self.factor_sizes = list(SIZES)
    self.latent_factor_indices = [0, 1, 2]
    self.num_total_factors = len(SIZES)
    features = np.indices(SIZES).reshape(len(SIZES), -1).T
    self.index = util.StateSpaceAtomIndex(self.factor_sizes, features)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)
    self.data_shape = [64, 64, 3]


def _load(files: list[Path]) -> np.ndarray:
    images = npz.aligned((*SIZES, 64, 64, 3))
    for car, file in enumerate(files):
        images[:, :, car] = _read(file)
    images.flags.writeable = False
    return images.reshape(math.prod(SIZES), 64, 64, 3)


def _read(file: Path) -> np.ndarray:
    """The images of one car in dlib's size, uint8 [elevations, azimuths, 64, 64, 3]."""
    from PIL import Image

    mesh = _matlab(file, "loadmat", variable_names=["im"])
    found = mesh.get("im", np.zeros(0))
    _check(file, found.shape, found.dtype.name)
    views = found.transpose(4, 3, 0, 1, 2)
    result = np.empty((*SIZES[:2], 64, 64, 3), np.uint8)
    for view in np.ndindex(*SIZES[:2]):
        image = Image.fromarray(np.ascontiguousarray(views[view]))
        # dlib asks for (64, 64, 3); today's Pillow refuses the third number, which never had a use.
        image.thumbnail((64, 64), Image.Resampling.LANCZOS)
        result[view] = np.array(image)
    return result


def _shape(file: Path) -> None:
    arrays = {name: (shape, kind) for name, shape, kind in _matlab(file, "whosmat")}
    _check(file, *arrays.get("im", ((0,), "uint8")))


def _check(file: Path, shape: tuple[int, ...], kind: str) -> None:
    square = len(shape) == 5 and shape[0] == shape[1] >= 64
    if not square or shape[2:] != (3, SIZES[1], SIZES[0]) or kind != "uint8":
        raise InputError(
            f"{file}: expected an array 'im', uint8 of shape (128, 128, 3, {SIZES[1]}, {SIZES[0]}),"
            f" found {kind} of shape {shape}."
        )


def _matlab(file: Path, function: str, **arguments):
    import scipy.io

    try:
        return getattr(scipy.io, function)(file, **arguments)
    except Exception as error:  # SciPy's reader raises nearly anything on damaged files
        raise InputError(f"{file}: damaged, or not a MATLAB file ({error}).") from error
