# SPDX-License-Identifier: Apache-2.0
"""Reader of IDX files, the format of MNIST: a header with the sizes, then one big-endian array."""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files.unpack import MOST_PER_BYTE
from vae_ortho_plugin.errors import InputError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The array in an IDX file. Plain and gzip files are told apart by their content.

    Args:
        path: of the file.
        shape: of the array of unsigned bytes that is expected; None accepts any array.

    Raises:
        InputError: no such file, not readable, not IDX, another array than expected, truncated, or
            too long.
    """
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == _GZIP_MAGIC
        with (gzip.open if compressed else open)(path, "rb") as file:
            most = os.path.getsize(path) * (MOST_PER_BYTE if compressed else 1)
            return _read(file, path, shape, most)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged or truncated gzip file ({error}).") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error


def _read(file: BinaryIO, path: str | Path, shape: tuple[int, ...] | None, most: int) -> np.ndarray:
    """The array, of at most `most` bytes; memory is taken for what the file can hold alone."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise InputError(
            f"{path}: not an IDX file; expected two zero bytes, a type code and the number of "
            f"dimensions, found the bytes {magic.hex(' ') or 'of an empty file'}."
        )
    dtype = np.dtype(_DTYPES[magic[2]])
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise InputError(f"{path}: truncated within its header of {4 + 4 * magic[3]} bytes.")
    found = tuple(np.frombuffer(header, ">u4").tolist())
    if shape is not None and (found != shape or dtype != np.uint8):
        raise InputError(
            f"{path}: expected unsigned bytes of shape {shape}, found {dtype.name} of shape "
            f"{found}."
        )
    size = math.prod(found) * dtype.itemsize
    content = file.read(min(size, most))
    if len(content) < size:
        raise InputError(
            f"{path}: truncated; its header states {size:,} bytes of shape {found}, "
            f"found {len(content):,}."
        )
    if file.read(1):
        raise InputError(f"{path}: goes on after the {size:,} bytes that its header states.")
    return np.frombuffer(content, dtype).astype(dtype.newbyteorder("=")).reshape(found)
