# SPDX-License-Identifier: Apache-2.0
"""Cars3D: one MATLAB file a car."""

import glob
import math
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz, unpack
from vae_ortho_plugin.data.files.location import contents, reading
from vae_ortho_plugin.data.files.read_files import cached
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import StoredFiles, StoredImages, check_array, grid
from vae_ortho_plugin.errors import InputError

# Below the data root.
FOLDER = Path("cars")
# Numbers of values of elevation, azimuth and object type.
SIZES = (4, 24, 183)


def load_cars3d(folder: Path) -> StoredImages:
    """The images, uint8 [4 * 24 * 183, 64, 64, 3], the object type fastest.

    Object types are numbered by the names of their files, so that they have the same number everywhere; dlib
    numbers them in the order in which the file system lists the files.
    """
    files = [folder / name for name in sorted(glob.glob("*.mat", root_dir=folder))]
    if len(files) != SIZES[2]:
        raise InputError(
            f"{folder}: expected {SIZES[2]} files *.mat, one a car, found {len(files)}. "
            f"{contents(folder)}"
        )
    images = cached("cars3d", files, lambda: _load(files))
    return StoredImages(images, SIZES, grid(SIZES))


FILES = StoredFiles("cars3d", FOLDER, load_cars3d, ("cars3d", "CARS3D_PATH"))
_REMOTE = Remote(
    FOLDER,
    ("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
    "md5:4e866a7919c1beedf53964e6f7a23686",
    load_cars3d,
    FOLDER / "nips2015-analogy-data.tar.gz",
    unpack.cars3d,
)
DOWNLOAD = Download(
    (_REMOTE,),
    "not stated",
    "none stated",
    "http://www.scottreed.info",
    f"put nips2015-analogy-data.tar.gz into {{root}}/{FOLDER} and run the command again,"
    f" or unpack its folder data/cars as {{root}}/{FOLDER}",
)


def _load(files: list[Path]) -> np.ndarray:
    """The images of all cars in dlib's size."""
    import scipy.io
    from PIL import Image

    images = npz.aligned((*SIZES, 64, 64, 3))
    for car, file in enumerate(files):
        # SciPy's reader raises nearly anything on damaged files.
        with reading(file, "damaged, or not a MATLAB file", Exception):
            found = scipy.io.loadmat(file, variable_names=["im"]).get("im", np.zeros(0))
        # Smaller images than the published ones will do.
        side = len(found) if found.ndim == 5 and len(found) >= 64 else 128
        check_array(file, "an array 'im'", found, "uint8", (side, side, 3, *SIZES[1::-1]))
        views = found.transpose(4, 3, 0, 1, 2)
        for view in np.ndindex(*SIZES[:2]):
            image = Image.fromarray(np.ascontiguousarray(views[view]))
            # dlib asks for (64, 64, 3); today's Pillow refuses the third number, which never had a use.
            image.thumbnail((64, 64), Image.Resampling.LANCZOS)
            images[(*view, car)] = np.array(image)
    images.flags.writeable = False
    return images.reshape(math.prod(SIZES), 64, 64, 3)
