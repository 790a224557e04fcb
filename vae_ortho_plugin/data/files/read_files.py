# SPDX-License-Identifier: Apache-2.0
"""Which files a data set is read from, and what tells their content from another one."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# A file is hashed in this many blocks at most, evenly spread over it, so that 64 MiB are read: 0.1 s. The
# sizes of files and the last block of each, where npz files have the check sums of their arrays, are always in.
_BLOCKS, _BLOCK = 1024, 1 << 16

# The lists that `noted` fills.
_open: list[list[Path]] = []


@contextlib.contextmanager
def noted() -> Iterator[list[Path]]:
    """Within: the files of which data sets are made come into the list."""
    files: list[Path] = []
    _open.append(files)
    try:
        yield files
    finally:
        _open.pop()


def note(files: Iterable[Path]) -> None:
    """Notes that a data set is made of these files, read now or before."""
    for noted_files in _open:
        noted_files.extend(files)


def summary(files: Iterable[Path]) -> dict[str, object]:
    """What is the same for the same files in another folder, and the folder.

    Returns:
        place: the file, or the folder of several files; files: their number; bytes: their size together;
        sha256: of their names and sizes, and of their content up to 64 MiB.
    """
    paths = sorted({Path(os.path.abspath(file)) for file in files})
    place = os.path.commonpath(paths)
    digest = hashlib.sha256()
    blocks = max(2, _BLOCKS // len(paths))
    sizes = [path.stat().st_size for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        digest.update(f"{os.path.relpath(path, place)} {size}\n".encode())
        last = max(0, size - _BLOCK)
        whole = size <= blocks * _BLOCK
        starts = range(0, size, _BLOCK) if whole else _spread(last, blocks)
        with open(path, "rb") as file:
            for start in starts:
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return {
        "place": place,
        "files": len(paths),
        "bytes": sum(sizes),
        "sha256": digest.hexdigest(),
    }


def _spread(last: int, number: int) -> list[int]:
    return [last * k // (number - 1) for k in range(number)]
