# SPDX-License-Identifier: Apache-2.0
"""The three MPI3D data sets.

dlib counts the colours and shapes of toy and realistic as they were in 2019, which mixes up the
factors of the files that are published today.
"""

import hashlib
import math
from functools import partial
from pathlib import Path

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import check_file
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import StoredFiles, StoredImages, check_array, flat
from vae_ortho_plugin.errors import InputError, check_one_of

# Numbers of values of object colour, shape, size, camera height, background colour, first and
# second degree of freedom. The published files have SIZES, those of toy and realistic of 2019 two
# colours and two shapes less.
SIZES = (6, 6, 2, 3, 3, 40, 40)
SIZES_2019 = (4, 4, 2, 3, 3, 40, 40)

_SAMPLE = 16384
_AUTHORS = "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main"
_BUCKET = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"

# Of the published files: MD5; MD5 of their length (8 bytes, big-endian) and of 16 KiB at their
# beginning, middle and end, disent's "fast" hash; folders that have them.
PUBLISHED = {
    "mpi3d_toy": (
        "55889cb7c7dfc655d6e0277beee88868",
        "146138e36ff495e77ceacdc8cf14c37e",
        (_AUTHORS, _BUCKET),
    ),
    "mpi3d_realistic": (
        "59a6225b88b635365f70c91b3e52f70f",
        "96c8ff1155dd61f79d3493edef9f19e9",
        (_AUTHORS, _BUCKET),
    ),
    "mpi3d_real": (
        "0f33f609918fb5c97996692f91129802",
        "e2941bba6f4a2b130edc5f364637b39e",
        (_AUTHORS,),
    ),
}


def file_of(mode: str) -> Path:
    """The file of a data set, below the data root as in dlib."""
    return Path(mode, f"{mode}.npz")


def load_mpi3d(path: Path, mode: str) -> StoredImages:
    """The images of the data set `mode`, uint8 [n, 64, 64, 3].

    The published file is not compressed and therefore mapped into memory, not read.
    """
    check_file(path)
    found = _known(path)
    if found not in (None, mode):
        raise InputError(f"{path}: expected the images of {mode}, found those of {found}.")
    images = flat(npz.large_array(path, "MPI3D", "images"))
    allowed = [SIZES] if mode == "mpi3d_real" else [SIZES, SIZES_2019]
    shapes = [(math.prod(sizes), 64, 64, 3) for sizes in allowed]
    check_array(path, "images", images, "uint8", *shapes)
    sizes = allowed[shapes.index(images.shape)]
    origin = None if found else f"{path.name} is not the published file"
    return StoredImages(images, sizes, origin=origin)


FILES = {
    mode: StoredFiles(mode, file_of(mode), partial(load_mpi3d, mode=mode), scaled=False)
    for mode in PUBLISHED
}


def _download(mode: str) -> Download:
    file, (md5, _, folders) = file_of(mode), PUBLISHED[mode]
    urls = tuple(f"{folder}/{file.name}" for folder in folders)
    return Download(
        (Remote(file, urls, f"md5:{md5}", FILES[mode].read),),
        "12.7 GB",
        "CC BY 4.0",
        "https://github.com/rr-learning/disentanglement_dataset",
        f"take {file.name} from one of the homepage's links and put it at {{root}}/{file}",
    )


DOWNLOADS = {mode: _download(mode) for mode in PUBLISHED}


def initialize(self, mode: str = "mpi3d_toy") -> None:
    """Replaces dlib's `mpi3d.MPI3D.__init__`."""
    check_one_of("mode of MPI3D", mode, FILES)
    FILES[mode].initialize(self)


def _known(path: Path) -> str | None:
    """Which published data set the file is, if any."""
    size = path.stat().st_size
    digest = hashlib.md5(size.to_bytes(8, "big"), usedforsecurity=False)
    with open(path, "rb") as file:
        for part in range(3):
            file.seek(max(0, part * (size - _SAMPLE) // 2))
            digest.update(file.read(_SAMPLE))
    found = digest.hexdigest()
    return next((mode for mode, (_, known, _) in PUBLISHED.items() if known == found), None)
