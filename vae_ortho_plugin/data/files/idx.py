# SPDX-License-Identifier: Apache-2.0
"""Reader of IDX files, the format of MNIST: a header with the sizes, then one big-endian array."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files.unpack import read_array
from vae_ortho_plugin.errors import InputError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The array in an IDX file. Plain and gzip files are told apart by their content.

    Args:
        path: of the file.
        shape: of the array of unsigned bytes that is expected; None accepts any array.
    """

    def header(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
        dtype, found = _header(file, path)
        if shape is not None and (found != shape or dtype != np.uint8):
            raise InputError(
                f"{path}: expected unsigned bytes of shape {shape}, found {dtype.name} of shape "
                f"{found}."
            )
        return dtype, found

    array = read_array(path, header)
    return array.astype(array.dtype.newbyteorder("="), subok=False)


def _header(file: BinaryIO, path: str | Path) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise InputError(
            f"{path}: not an IDX file; expected two zero bytes, a type code and the number of "
            f"dimensions, found the bytes {magic.hex(' ') or 'of an empty file'}."
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(f"{path}: truncated within its header of {4 + 4 * magic[3]} bytes.")
    return np.dtype(_DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())
