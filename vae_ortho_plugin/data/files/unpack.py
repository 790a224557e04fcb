# SPDX-License-Identifier: Apache-2.0
"""Files that are packed: arrays in gzip files are read, archives are unpacked."""

import contextlib
import gzip
import math
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import written_beside

# Deflate, of gzip and zip files, packs at most this number of bytes into one.
MOST_PER_BYTE = 1032
_GZIP_MAGIC = b"\x1f\x8b"


def read_array(
    path: str | Path, header: Callable[[BinaryIO], tuple[np.dtype, tuple[int, ...]]]
) -> np.ndarray:
    """The array in a file of a header and numbers; its content tells whether gzip has packed it.

    A plain file is mapped into memory. A packed one takes no more memory than it can hold,
    whatever its header states.

    Args:
        path: of the file.
        header: reads type and shape; its InputError names the path.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
        with _reading(path, "gzip"), (gzip.open if packed else open)(path, "rb") as file:
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
    with _reading(archive, "gzip"), gzip.open(archive) as source:
        _write(source, target)


def cars3d(archive: Path, folder: Path) -> None:
    """Puts the files data/cars/*.mat of the tar file into `folder`; others stay in the archive."""
    with _reading(archive, "tar"), tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if member.isfile() and path.suffix == ".mat" and path.parent.name == "cars":
                # The name alone, so that no member leaves the folder.
                _write(tar.extractfile(member), folder / path.name)


def _write(source: BinaryIO, target: Path) -> None:
    with source, written_beside(target) as partial, open(partial, "wb") as file:
        shutil.copyfileobj(source, file)


@contextlib.contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Within: the errors of a damaged file of this kind become InputError."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{path}: damaged or truncated {kind} file ({error}).") from error
