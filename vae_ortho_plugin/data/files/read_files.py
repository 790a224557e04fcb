# SPDX-License-Identifier: Apache-2.0
"""The files that data sets are read from: a process reads unchanged ones once and can say what they are."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from vae_ortho_plugin.engine import progress

# A file is hashed in this many blocks at most, evenly spread over it, so that 64 MiB are read: 0.1 s. The
# sizes of files and the last block of each, where npz files have the check sums of their arrays, are always in.
_BLOCKS, _BLOCK = 1024, 1 << 16

_large: dict[Hashable, object] = {}
_small: dict[Hashable, object] = {}
_origins: dict[str, str] = {}
_noted: ContextVar[list[Path] | None] = ContextVar("noted_files", default=None)


def cached(name: str, files: Collection[Path], read: Callable[[], Any], small: bool = False) -> Any:
    """What `read` returns; it is called once for a name as long as the files, which exist, stay unchanged.

    Of contents that are not small, only the last one stays in memory: two data sets need not fit together.
    """
    if not small:
        note(files)
    key = (name, *((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))
    cache = _small if small else _large
    if key not in cache:
        if not small:
            cache.clear()
        cache[key] = read()
    return cache[key]


@contextlib.contextmanager
def noted() -> Iterator[list[Path]]:
    """Within: the files of which a data set is made come into the list."""
    files: list[Path] = []
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def note(files: Iterable[Path]) -> None:
    """Notes that a data set is made of these files, read now or before."""
    if (noted_files := _noted.get()) is not None:
        noted_files.extend(files)


def summary(files: Iterable[Path]) -> dict[str, object]:
    """What is the same for the same files in another folder, and the folder (place), or the only file.

    `files` is their number, `bytes` their size together, and `sha256` of their names and sizes, and of their
    content up to 64 MiB.
    """
    paths = sorted({Path(os.path.abspath(file)) for file in files})
    place = os.path.commonpath(paths)
    digest = hashlib.sha256()
    blocks = max(2, _BLOCKS // len(paths))
    sizes = [path.stat().st_size for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        digest.update(f"{os.path.relpath(path, place)} {size}\n".encode())
        starts = range(0, size, _BLOCK)
        if len(starts) > blocks:
            starts = [(size - _BLOCK) * k // (blocks - 1) for k in range(blocks)]
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


def note_origin(name: str, origin: str | None) -> None:
    """Records for this process what the data set is that was last read as `name` of dlib.

    `origin` is None where it is the published one or that cannot be told; else the user is told once.
    """
    if origin is None:
        _origins.pop(name, None)
    elif _origins.get(name) != origin:
        _origins[name] = origin
        progress.say(f"{name}: {origin}. Results say so.")


def origin(name: str) -> str | None:
    """What every result says of the data set `name` of dlib; None for published data."""
    from vae_ortho_plugin.data import dsprites

    return _origins.get(name) or dsprites.origin(name)


def has_hash(path: Path, known: str, size: int | None = None) -> bool:
    """Whether a file has this SHA-256, or another hash behind its algorithm's name and a colon.

    `size`, in bytes, is that of the file with the hash; it spares reading files of another size.
    """
    algorithm, _, digest = known.rpartition(":")

    def read() -> str:
        found = hashlib.new(algorithm or "sha256", usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
        return found.hexdigest()

    if size not in (None, path.stat().st_size):
        return False
    return digest == cached(f"hash {algorithm}", [path], read, small=True)
