# SPDX-License-Identifier: Apache-2.0
"""Files that are packed: arrays in gzip files are read, archives are unpacked."""

import gzip
import math
import shutil
import tarfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files.location import reading
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import written_beside

# Deflate, of gzip and zip files, packs at most this number of bytes into one.
MOST_PER_BYTE = 1032
_GZIP_MAGIC = b"\x1f\x8b"
_DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error)


def read_array(
    path: Path, header: Callable[[BinaryIO], tuple[np.dtype, tuple[int, ...]]]
) -> np.ndarray:
    """The array in a file of numbers after a header, whose type and shape `header` reads.

    A plain file is mapped into memory. One that gzip has packed, as its content tells, takes no more memory
    than it can hold, whatever its header states.

    Raises:
        InputError: the file is missing, damaged, or not as long as its header states.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
        with _whole(path, "gzip"), (gzip.open if packed else open)(path, "rb") as file:
            dtype, shape = header(file)
            begin, size = file.tell(), math.prod(shape) * dtype.itemsize
            most = path.stat().st_size * MOST_PER_BYTE
            content = file.read(min(size + 1, most)) if packed else b""
        found = len(content) if packed else path.stat().st_size - begin
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    if found != size:
        fault, number = ("truncated", f"{found:,}") if found < size else ("too long", "more")
        raise InputError(
            f"{path}: {fault}; its header states {size:,} bytes of shape {shape}, found {number}."
        )
    if packed or not size:
        return np.frombuffer(content, dtype).reshape(shape)
    return np.memmap(path, dtype, "r", begin, shape)


def gunzip(archive: Path, target: Path) -> None:
    """Makes the file `target` of a gzip file."""
    with _whole(archive, "gzip"), gzip.open(archive) as source:
        _write(source, target)


def cars3d(archive: Path, folder: Path) -> None:
    """Puts the files data/cars/*.mat of the tar file into `folder`; others stay in the archive."""
    with _whole(archive, "tar"), tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if member.isfile() and path.suffix == ".mat" and path.parent.name == "cars":
                # The name alone, so that no member leaves the folder.
                _write(tar.extractfile(member), folder / path.name)


def _write(source: BinaryIO, target: Path) -> None:
    with source, written_beside(target) as partial, open(partial, "wb") as file:
        shutil.copyfileobj(source, file)


def _whole(path: Path, kind: str) -> AbstractContextManager[None]:
    return reading(path, f"damaged or truncated {kind} file", *_DAMAGED)
