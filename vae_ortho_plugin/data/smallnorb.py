# SPDX-License-Identifier: Apache-2.0
"""SmallNORB: two chunks of images, each in three files of NORB's binary format."""

import itertools
import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files import npz, unpack
from vae_ortho_plugin.data.files.location import check_file, exists
from vae_ortho_plugin.data.files.read_files import cached
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import StoredFiles, StoredImages
from vae_ortho_plugin.errors import InputError

# Below the data root, with the chunk and "dat", "cat" or "info".
TEMPLATE = Path("small_norb", "smallnorb-{}-{}.mat")
CHUNKS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
# Numbers of values of category, instance, elevation, azimuth and lighting.
SIZES = (5, 10, 9, 18, 6)

# The files in order, and their SHA-256 when they are packed by gzip.
_FILES = list(itertools.product(CHUNKS, ("dat", "cat", "info")))
_SHA256 = (
    "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
)
_HOMEPAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_DTYPES = {507333717: "u1", 507333716: "<i4"}  # magic numbers of bytes and integers


def _plain_and_packed(template: Path, chunk: str, kind: str) -> tuple[Path, Path]:
    plain = Path(str(template).format(chunk, kind))
    return plain, plain.with_name(f"{plain.name}.gz")


def load_smallnorb(template: Path) -> StoredImages:
    """The images, uint8 [n, 64, 64], and the class numbers of their factors, int32 [n, 5].

    Each of the six files is plain or has .gz at its end.
    """
    files = []
    for chunk, kind in _FILES:
        plain, packed = _plain_and_packed(template, chunk, kind)
        files.append(packed if exists(packed) and not exists(plain) else plain)
        check_file(files[-1])
    images, features = cached("smallnorb", files, lambda: _load(files))
    return StoredImages(images, SIZES, features)


def read_matrix(path: Path) -> np.ndarray:
    """The array in a file of NORB's binary format."""

    def header(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
        """Of a header: magic, number of dimensions, at least 3 sizes."""
        start = file.read(8)
        magic, dimensions = np.frombuffer(start, "<i4").tolist() if len(start) == 8 else (0, 0)
        if magic not in _DTYPES or not 1 <= dimensions <= 4:
            raise InputError(
                f"{path}: not a file of NORB's binary format; it begins with {start.hex(' ')}."
            )
        sizes = file.read(4 * max(3, dimensions))
        if len(sizes) < 4 * max(3, dimensions):
            raise InputError(f"{path}: truncated within its header.")
        return np.dtype(_DTYPES[magic]), tuple(np.frombuffer(sizes, "<u4")[:dimensions].tolist())

    return unpack.read_array(path, header)


def _remote(chunk: str, kind: str, sha256: str) -> Remote:
    plain, packed = _plain_and_packed(TEMPLATE, chunk, kind)
    return Remote(plain, (f"{_HOMEPAGE}{packed.name}",), sha256, read_matrix, packed, unpack.gunzip)


FILES = StoredFiles(
    "smallnorb",
    TEMPLATE,
    load_smallnorb,
    ("norb", "SMALLNORB_TEMPLATE"),
    shown=(0, 2, 3, 4),  # as in dlib, the instance is drawn at random
)
DOWNLOAD = Download(
    tuple(_remote(*file, sha256) for file, sha256 in zip(_FILES, _SHA256, strict=True)),
    "263 MB, unpacked 900 MB",
    "research purposes; it cannot be sold",
    _HOMEPAGE,
    f"take the six files .mat.gz from the homepage and put them into {{root}}/{TEMPLATE.parent}; "
    "they need not be unpacked",
)


def _load(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    images, features = npz.aligned((math.prod(SIZES), 64, 64)), []
    filled = 0
    for dat, cat, info in zip(files[::3], files[1::3], files[2::3], strict=True):
        photos, categories, others = map(read_matrix, (dat, cat, info))
        if not (
            photos.ndim == 4
            and categories.shape == (len(photos),)
            and others.shape == (len(photos), 4)
            and filled + len(photos) <= len(images)
        ):
            raise InputError(
                f"{dat.parent}: expected {len(images):,} images in two parts, each with as many "
                f"labels; found in {dat.name} {photos.shape}, in {cat.name} {categories.shape}, in "
                f"{info.name} {others.shape}."
            )
        _reduce(photos[:, 0], images[filled : filled + len(photos)])
        filled += len(photos)
        features.append(np.column_stack([categories, others]))
    features = np.concatenate(features)
    features[:, 3] //= 2  # azimuths are 0, 2, 4, ..., 34
    inside = ((features >= 0) & (features < SIZES)).all()
    if not inside or len(np.unique(features, axis=0)) < len(images):
        raise InputError(
            f"{files[0].parent}: the files 'cat' and 'info' are not all {len(images):,} "
            f"combinations of factors of sizes {SIZES}."
        )
    images.flags.writeable = False
    return images, features


def _reduce(photos: np.ndarray, images: np.ndarray) -> None:
    """Writes the photos [n, height, width] in 64 x 64 to `images`.

    dlib's detour over signed bytes makes 32-bit images of them, whose reduction goes a little
    below 0 and above 255 at edges; here they stay within [0, 255].
    """
    from PIL import Image

    for photo, image in zip(photos, images, strict=True):
        wide = Image.fromarray(photo.astype(np.int32)).resize((64, 64), Image.Resampling.LANCZOS)
        image[:] = np.clip(np.array(wide), 0, 255)
