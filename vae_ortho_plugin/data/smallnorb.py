# SPDX-License-Identifier: Apache-2.0
"""The files of SmallNORB, and dlib's class that uses them."""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.kept import ScaledImages, keep
from vae_ortho_plugin.data.files.location import check_file, dlib_path, exists, remedy
from vae_ortho_plugin.data.files.unpack import MOST_PER_BYTE
from vae_ortho_plugin.errors import InputError

# Below the data root, with the chunk and "dat", "cat" or "info".
TEMPLATE = Path("small_norb", "smallnorb-{}-{}.mat")
CHUNKS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
KINDS = ("dat", "cat", "info")
# Numbers of values of category, instance, elevation, azimuth and lighting.
SIZES = (5, 10, 9, 18, 6)

_DTYPES = {507333717: "u1", 507333716: "<i4"}  # magic numbers of bytes and integers
_GZIP_MAGIC = b"\x1f\x8b"


def find_files(template: Path) -> list[Path]:
    """The six files, each plain or with .gz at its end.

    Raises:
        InputError: a file is missing, empty or not readable.
    """
    files = []
    for chunk in CHUNKS:
        for kind in KINDS:
            plain = Path(str(template).format(chunk, kind))
            packed = plain.with_name(f"{plain.name}.gz")
            files.append(packed if exists(packed) and not exists(plain) else plain)
            check_file(files[-1])
    return files


def check_matrix(path: Path) -> None:
    """Raises InputError unless `path` is a whole file of the kind that its name says."""
    _read(path)


def load_smallnorb(template: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 64, 64], read-only, and the class numbers of their factors, int32 [n, 5].

    A process reads unchanged files once and keeps the images.

    Raises:
        InputError: a file is missing, damaged or not in the layout of SmallNORB.
    """
    files = find_files(template)
    return keep("smallnorb", files, lambda: _load(files))


def initialize(self) -> None:
    """Replaces dlib's `norb.SmallNORB.__init__`: the same attributes, images kept as bytes.

    dlib's function fails on today's Pillow and NumPy and holds the images as float64.

    Raises:
        InputError: the files are not good; the message says how to get them.
    """
    from disentanglement_lib.data.ground_truth import norb, util

    template = dlib_path(norb, "SMALLNORB_TEMPLATE", TEMPLATE)
    try:
        images, features = load_smallnorb(template)
        self.index = _index(util, template, features)
    except InputError as error:
        raise InputError(f"{error} {remedy('smallnorb', template.parent)}") from error
    self.images = ScaledImages(images)
    self.factor_sizes = list(SIZES)
    # As in dlib, the instance is drawn at random.
    self.latent_factor_indices = [0, 2, 3, 4]
    self.num_total_factors = len(SIZES)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)


def _index(util, template: Path, features: np.ndarray):
    try:
        return util.StateSpaceAtomIndex(list(SIZES), features)
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{template.parent}: the files 'cat' and 'info' are not all combinations of factors of "
            f"sizes {SIZES}."
        ) from error


def _load(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    images, features = npz.aligned((math.prod(SIZES), 64, 64)), []
    filled = 0
    for dat, cat, info in zip(files[::3], files[1::3], files[2::3], strict=True):
        photos, categories, others = _read(dat), _read(cat), _read(info)
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
    if filled < len(images):
        raise InputError(f"{files[0].parent}: expected {len(images):,} images, found {filled:,}.")
    images.flags.writeable = False
    features = np.concatenate(features)
    features[:, 3] //= 2  # azimuths are 0, 2, 4, ..., 34
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


def _read(path: Path) -> np.ndarray:
    """The array in a file of NORB's binary format, mapped into memory where it is not packed.

    Raises:
        InputError: damaged, truncated or too long.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
        with (gzip.open if packed else open)(path, "rb") as file:
            dtype, shape, begin = _header(file, path)
            size = math.prod(shape) * dtype.itemsize
            fits = size <= path.stat().st_size * MOST_PER_BYTE
            content = file.read(size + 1) if packed and fits else b""
        found = len(content) if packed else path.stat().st_size - begin
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged, or cannot be read ({error}).") from error
    if found != size:
        raise InputError(
            f"{path}: its header states {size:,} bytes of shape {shape}, found {found:,}."
        )
    if packed:
        return np.frombuffer(content, dtype).reshape(shape)
    return np.memmap(path, dtype, "r", begin, shape)


def _header(file: BinaryIO, path: Path) -> tuple[np.dtype, tuple[int, ...], int]:
    """Type, shape and length of the header: magic, number of dimensions, at least 3 sizes."""
    start = file.read(8)
    magic, dimensions = np.frombuffer(start, "<i4") if len(start) == 8 else (0, 0)
    if int(magic) not in _DTYPES or not 1 <= dimensions <= 4:
        raise InputError(
            f"{path}: not a file of NORB's binary format; it begins with {start.hex(' ')}."
        )
    stored = max(3, int(dimensions))
    sizes = file.read(4 * stored)
    if len(sizes) < 4 * stored:
        raise InputError(f"{path}: truncated within its header.")
    shape = tuple(np.frombuffer(sizes, "<i4")[:dimensions].tolist())
    return np.dtype(_DTYPES[int(magic)]), shape, 8 + 4 * stored
