# SPDX-License-Identifier: Apache-2.0
"""The file of dSprites, read without pickle and once per process, and dlib's class that uses it."""

import contextlib
import functools
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.location import VARIABLE
from vae_ortho_plugin.errors import InputError

# As in dlib, below the data root.
FILE = Path("dsprites", "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz")
# Numbers of values of colour, shape, scale, orientation, x and y.
SIZES = (1, 3, 6, 40, 32, 32)
# Stands in the archive's comment, which can be read without pickle and stays with the file.
STAND_IN = "rendered stand-in"


def is_rendered_stand_in(path: str | Path) -> bool:
    """Whether vae_ortho_render_dsprites wrote `path`; False if it is no readable archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment.startswith(STAND_IN.encode())
    except (OSError, zipfile.BadZipFile):
        return False


def origin(data_set: str) -> str | None:
    """STAND_IN if dlib's data set of this name reads a rendered file, else None."""
    from disentanglement_lib.data.ground_truth import dsprites

    if "dsprites" in data_set and is_rendered_stand_in(dsprites.DSPRITES_PATH):
        return STAND_IN
    return None


def check_official(path: Path) -> None:
    """Raises InputError unless `path` is a whole archive with the official keys, shapes and counts.

    It decompresses the whole archive block by block and compares its checksums.
    """
    with _open(path) as archive:
        _check_shape(path, archive, "imgs", "uint8", (math.prod(SIZES), 64, 64))
        _check_shape(path, archive, "latents_values", "float64", (math.prod(SIZES), len(SIZES)))
        if _sizes(path, archive) != SIZES:
            raise InputError(f"{path}: expected factors of sizes {SIZES}.")
        _check_shape(path, archive, "metadata", "object", ())
        damaged = archive.testzip()
        if damaged:
            raise InputError(f"{path}: {damaged} in it is damaged.")


def load_dsprites(path: str | Path) -> tuple[np.ndarray, tuple[int, ...]]:
    """The images, uint8 [n, 64, 64], read-only, and the numbers of values of the six factors.

    A process reads an unchanged file once and keeps the images.

    Raises:
        InputError: there is no such file, or it is damaged or not in the layout of dSprites.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    return _load(path, path.stat().st_mtime_ns)


def initialize(self, latent_factor_indices: list[int] | None = None) -> None:
    """Replaces dlib's `dsprites.DSprites.__init__`: the same attributes from `load_dsprites`.

    dlib's function reads the file again for every object, in 20 seconds and with twice its size in
    memory, and assumes the official `full_factor_sizes`.

    Raises:
        InputError: there is no good file; the message says how to get it.
    """
    from disentanglement_lib.data.ground_truth import dsprites, util

    try:
        self.images, sizes = load_dsprites(dsprites.DSPRITES_PATH)
    except InputError as error:
        raise InputError(
            f"{error}\nRun `vae_ortho_download_data dsprites`, or `vae_ortho_render_dsprites` to "
            f"render a stand-in without a network, both with {VARIABLE} set as now; it names the "
            "directory that holds dsprites/, by default the current one."
        ) from error
    if latent_factor_indices is None:
        latent_factor_indices = list(range(len(sizes)))
    self.latent_factor_indices = latent_factor_indices
    self.data_shape = [64, 64, 1]
    self.full_factor_sizes = list(sizes)
    self.factor_sizes = np.array(sizes)
    self.factor_bases = np.prod(sizes) / np.cumprod(sizes)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)


@functools.lru_cache(maxsize=1)
def _load(path: Path, _mtime: int) -> tuple[np.ndarray, tuple[int, ...]]:
    with _open(path) as archive:
        sizes = _sizes(path, archive)
        _check_shape(path, archive, "imgs", "uint8", (math.prod(sizes), 64, 64))
        with archive.open("imgs.npy") as file:
            _skip_header(file)
            images = _read_aligned(file, (math.prod(sizes), 64, 64))
    images.flags.writeable = False
    return images, sizes


def _read_aligned(file: BinaryIO, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 [shape] from the file, at an address that is a multiple of 64.

    TensorFlow uses such an array in place. It copies other arrays that are fed to it: 3 GB here.
    """
    size = math.prod(shape)
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    flat = buffer[start : start + size]
    for chunk in np.array_split(flat, max(1, size // 2**20)):
        content = file.read(len(chunk))
        if len(content) < len(chunk):
            raise EOFError("the images end too early")
        chunk[:] = np.frombuffer(content, np.uint8)
    return flat.reshape(shape)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except KeyError as error:
        raise InputError(f"{path}: not in the layout of dSprites ({error.args[0]}).") from error
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged or truncated npz file ({error}).") from error


def _check_shape(
    path: Path, archive: zipfile.ZipFile, key: str, dtype: str, shape: tuple[int, ...]
) -> None:
    with archive.open(f"{key}.npy") as file:
        found_shape, _, found_dtype = _skip_header(file)
    if (found_shape, found_dtype.name) != (shape, dtype):
        raise InputError(
            f"{path}: expected {key} to be {dtype} of shape {shape}, "
            f"found {found_dtype.name} of shape {found_shape}."
        )


def _skip_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads the header of a npy file: shape, Fortran order, type."""
    np.lib.format.read_magic(file)
    return np.lib.format.read_array_header_1_0(file)


def _sizes(path: Path, archive: zipfile.ZipFile) -> tuple[int, ...]:
    """Numbers of values of the factors, from latents_classes: metadata is a pickle."""
    with archive.open("latents_classes.npy") as file:
        classes = np.lib.format.read_array(file, allow_pickle=False)
    if classes.ndim == 2 and len(classes) and classes.shape[1] == len(SIZES):
        sizes = tuple((classes.max(axis=0) + 1).tolist())
        grid = np.indices(sizes).reshape(len(sizes), -1).T
        if np.array_equal(classes, grid):
            return sizes
    raise InputError(
        f"{path}: its latents_classes are not all combinations of six factors in order."
    )
