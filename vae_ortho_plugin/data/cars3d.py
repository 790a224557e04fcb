# SPDX-License-Identifier: Apache-2.0
"""Cars3D: one MATLAB file a car."""

import math
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz, unpack
from vae_ortho_plugin.data.files.cache import cached
from vae_ortho_plugin.data.files.location import contents
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import (
    ScaledImages,
    StoredFiles,
    StoredImages,
    check_array,
    grid,
)
from vae_ortho_plugin.errors import InputError

# Below the data root.
FOLDER = Path("cars")
# Numbers of values of elevation, azimuth and object type.
SIZES = (4, 24, 183)


def find_files(folder: Path) -> list[Path]:
    """The MATLAB files, sorted by name, so that object types have the same number everywhere."""
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
        arrays = {name: (kind, shape) for name, shape, kind in _matlab(file, "whosmat")}
        _check(file, *arrays.get("im", ("nothing", ())))


def load_cars3d(folder: Path) -> StoredImages:
    """The images, uint8 [4 * 24 * 183, 64, 64, 3], the object type fastest.

    dlib numbers the object types in the order in which the file system lists the files.
    """
    files = find_files(folder)
    images = cached("cars3d", files, lambda: _load(files))
    return StoredImages(ScaledImages(images), SIZES, grid(SIZES))


FILES = StoredFiles("cars3d", FOLDER, load_cars3d, ("cars3d", "CARS3D_PATH"))
DOWNLOAD = Download(
    (
        Remote(
            FOLDER,
            ("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
            "md5:4e866a7919c1beedf53964e6f7a23686",
            check_folder,
            FOLDER / "nips2015-analogy-data.tar.gz",
            unpack.cars3d,
        ),
    ),
    "not stated",
    "none stated",
    "http://www.scottreed.info",
    f"put nips2015-analogy-data.tar.gz into {{root}}/{FOLDER} and run the command again,"
    f" or unpack its folder data/cars as {{root}}/{FOLDER}",
)


def _load(files: list[Path]) -> np.ndarray:
    images = npz.aligned((*SIZES, 64, 64, 3))
    for car, file in enumerate(files):
        images[:, :, car] = _read(file)
    images.flags.writeable = False
    return images.reshape(math.prod(SIZES), 64, 64, 3)


def _read(file: Path) -> np.ndarray:
    """The images of one car in dlib's size, uint8 [elevations, azimuths, 64, 64, 3]."""
    from PIL import Image

    found = _matlab(file, "loadmat", variable_names=["im"]).get("im", np.zeros(0))
    _check(file, found.dtype.name, found.shape)
    views = found.transpose(4, 3, 0, 1, 2)
    result = np.empty((*SIZES[:2], 64, 64, 3), np.uint8)
    for view in np.ndindex(*SIZES[:2]):
        image = Image.fromarray(np.ascontiguousarray(views[view]))
        # dlib asks for (64, 64, 3); today's Pillow refuses the third number, which never had a use.
        image.thumbnail((64, 64), Image.Resampling.LANCZOS)
        result[view] = np.array(image)
    return result


def _check(file: Path, dtype: str, shape: tuple[int, ...]) -> None:
    # Smaller images than the published ones will do.
    side = shape[0] if len(shape) == 5 and shape[0] >= 64 else 128
    check_array(file, "an array 'im'", (dtype, shape), "uint8", (side, side, 3, *SIZES[1::-1]))


def _matlab(file: Path, function: str, **arguments):
    import scipy.io

    try:
        return getattr(scipy.io, function)(file, **arguments)
    except Exception as error:  # SciPy's reader raises nearly anything on damaged files
        raise InputError(f"{file}: damaged, or not a MATLAB file ({error}).") from error
