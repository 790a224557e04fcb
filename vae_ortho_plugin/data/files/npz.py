# SPDX-License-Identifier: Apache-2.0
"""Arrays out of npz files: without pickles, in blocks, or mapped into memory."""

import contextlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files.location import reading
from vae_ortho_plugin.data.files.read_files import cached, note
from vae_ortho_plugin.data.files.unpack import MOST_PER_BYTE
from vae_ortho_plugin.errors import InputError

_BLOCK = 1 << 24
# zipfile raises RuntimeError for what it cannot unpack (methods of other programs, encryption), NumPy TokenError
# for a header that it cannot read.
DAMAGED = (
    *(OSError, EOFError, RuntimeError, ValueError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error),
)


@contextlib.contextmanager
def opened(path: Path, layout: str) -> Iterator[zipfile.ZipFile]:
    """Within: the archive. Its errors become InputError; one about a missing array names the layout."""
    with reading(path, "damaged or truncated npz file", *DAMAGED):
        try:
            with zipfile.ZipFile(path) as archive:
                yield archive
        except KeyError as error:
            raise InputError(f"{path}: not in the layout of {layout} ({error.args[0]}).") from error
        except PermissionError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}).") from error


def small_array(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """An array as NumPy reads it; InputError for one of Python objects."""
    with archive.open(f"{key}.npy") as file:
        checked_header(archive, key, file)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def checked_header(
    archive: zipfile.ZipFile, key: str, file: BinaryIO
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and type in the header of a npy file, before memory is taken for the array.

    Raises:
        InputError: it is an array of Python objects.
        ValueError: it states more than the file can hold.
    """
    old = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise InputError(
            f"{archive.filename}: {key} is an array of Python objects, which are never loaded, because a "
            f"pickle can run any program. Save it as numbers or texts, as in {key}={key}.astype(str)."
        )
    info, size = archive.getinfo(f"{key}.npy"), math.prod(shape) * dtype.itemsize
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    most = info.compress_size * MOST_PER_BYTE if deflated else info.file_size
    if min(shape, default=0) < 0 or size > info.file_size - file.tell() or info.file_size > most:
        raise ValueError(f"{info.filename} states shape {shape}, more than the file holds")
    return shape, fortran, dtype


def large_array(path: Path, layout: str, key: str) -> np.ndarray:
    """A large array, read-only: mapped from the file where it is stored uncompressed there.

    A compressed one is read once per process, in blocks, so that it is in memory once.
    """
    note([path])
    with opened(path, layout) as archive, archive.open(f"{key}.npy") as file:
        shape, fortran, dtype = checked_header(archive, key, file)
        info = archive.getinfo(f"{key}.npy")
        if info.compress_type == zipfile.ZIP_STORED and not fortran:
            with open(path, "rb") as raw:
                raw.seek(info.header_offset + 26)  # lengths of the name and of the extra field
                begin = info.header_offset + 30 + int(np.frombuffer(raw.read(4), "<u2").sum())
            if begin + info.file_size > path.stat().st_size:
                raise EOFError(f"{key} ends too early")
            return np.memmap(path, dtype, "r", begin + file.tell(), shape)

        def read() -> np.ndarray:
            array = aligned(shape[::-1] if fortran else shape, dtype)
            read_into(file, array)
            array = array.T if fortran else array
            array.flags.writeable = False
            return array

        return cached(key, [path], read)


def aligned(shape: tuple[int, ...], dtype: np.dtype | str = np.uint8) -> np.ndarray:
    """An uninitialized array at an address that is a multiple of 64.

    TensorFlow uses such an array in place. It copies other arrays that are fed to it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def read_into(file: BinaryIO, array: np.ndarray) -> None:
    """Fills a contiguous array with the next bytes of the file; EOFError where there are too few."""
    rest = memoryview(array.reshape(-1).view(np.uint8))
    while rest:
        count = file.readinto(rest[:_BLOCK])
        if not count:
            raise EOFError("the data end too early")
        rest = rest[count:]
