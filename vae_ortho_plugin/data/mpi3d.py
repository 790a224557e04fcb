# SPDX-License-Identifier: Apache-2.0
"""The files of the three MPI3D data sets, and dlib's class that uses them."""

import hashlib
import math
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import check_file, data_root, remedy
from vae_ortho_plugin.data.files.origin import note
from vae_ortho_plugin.errors import InputError

# Numbers of values of object colour, shape, size, camera height, background colour, first and
# second degree of freedom. The published files have SIZES. dlib knows toy and realistic as they
# were in 2019, without two colours and two shapes.
SIZES = (6, 6, 2, 3, 3, 40, 40)
SIZES_2019 = (4, 4, 2, 3, 3, 40, 40)

# MD5 of the length (8 bytes, big-endian) and of 16 KiB at the beginning, in the middle and at the
# end of the published files: disent's "fast" hashes.
SHORT_MD5 = {
    "mpi3d_toy": "146138e36ff495e77ceacdc8cf14c37e",
    "mpi3d_realistic": "96c8ff1155dd61f79d3493edef9f19e9",
    "mpi3d_real": "e2941bba6f4a2b130edc5f364637b39e",
}
_SAMPLE = 16384


def file_of(mode: str) -> Path:
    """The file of a data set, below the data root as in dlib."""
    return Path(mode, f"{mode}.npz")


def check_public(path: Path, mode: str) -> None:
    """Raises InputError unless `path` has the layout of MPI3D and is of no other of its sets."""
    load_mpi3d(path, mode)


def load_mpi3d(path: Path, mode: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """The images, uint8 [n, 64, 64, 3], read-only, and the numbers of values of the factors.

    The published file is not compressed and therefore mapped into memory, not read.

    Args:
        mode: name of the data set.

    Raises:
        InputError: there is no such file, or it is damaged, of another data set or not in the
            layout of MPI3D.
    """
    check_file(path)
    found = _known(path)
    if found not in (None, mode):
        raise InputError(f"{path}: expected the images of {mode}, found those of {found}.")
    images = npz.large_array(path, "MPI3D", "images")
    images = images.reshape(-1, *images.shape[-3:])  # also of [colours, shapes, ..., 64, 64, 3]
    allowed = [SIZES] if mode == "mpi3d_real" else [SIZES, SIZES_2019]
    sizes = next((sizes for sizes in allowed if math.prod(sizes) == len(images)), None)
    if sizes is None or images.shape[1:] != (64, 64, 3) or images.dtype != np.uint8:
        numbers = " or ".join(f"{math.prod(sizes):,}" for sizes in allowed)
        raise InputError(
            f"{path}: expected images to be {numbers} uint8 images of 64 x 64 x 3, found "
            f"{images.dtype.name} of shape {images.shape}."
        )
    return images, sizes


def initialize(self, mode: str = "mpi3d_toy") -> None:
    """Replaces dlib's `mpi3d.MPI3D.__init__`: the same attributes, images mapped into memory.

    dlib's function counts the colours and shapes of toy and realistic as they were in 2019, which
    mixes up the factors of the files that are published today.

    Raises:
        InputError: no such mode, or there is no good file; the message says how to get it.
    """
    from disentanglement_lib.data.ground_truth import util

    if mode not in SHORT_MD5:
        raise InputError(
            f"mode = {mode!r} of MPI3D is unknown; take one of {', '.join(SHORT_MD5)}."
        )
    path = data_root() / file_of(mode)
    try:
        self.images, sizes = load_mpi3d(path, mode)
    except InputError as error:
        raise InputError(f"{error} {remedy(mode, path.parent)}") from error
    note(mode, None if _known(path) else f"{path.name} is not the published file")
    self.factor_sizes = list(sizes)
    self.latent_factor_indices = list(range(len(sizes)))
    self.num_total_factors = len(sizes)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)
    self.factor_bases = np.prod(sizes) / np.cumprod(sizes)


def _known(path: Path) -> str | None:
    """Which published data set the file is, if any."""
    size = path.stat().st_size
    digest = hashlib.md5(size.to_bytes(8, "big"), usedforsecurity=False)
    with open(path, "rb") as file:
        for part in range(3):
            file.seek(max(0, part * (size - _SAMPLE) // 2))
            digest.update(file.read(_SAMPLE))
    found = digest.hexdigest()
    return next((mode for mode, known in SHORT_MD5.items() if known == found), None)
