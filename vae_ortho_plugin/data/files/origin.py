# SPDX-License-Identifier: Apache-2.0
"""Where the data of a name come from, if they are not the published ones."""

import functools
from pathlib import Path

from vae_ortho_plugin.engine import progress

_noted: dict[str, str] = {}


def note(name: str, origin: str | None) -> None:
    """Records for this process that the data set last read as `name` is not the published one.

    The user is told once.

    Args:
        name: of the data set in dlib.
        origin: what it is; None where it is the published one or that cannot be told.
    """
    if origin is None:
        _noted.pop(name, None)
    elif _noted.get(name) != origin:
        _noted[name] = origin
        progress.say(f"{name}: {origin}. Results say so.")


def origin(name: str) -> str | None:
    """What every result says of the data set `name` of dlib; None for published data."""
    from vae_ortho_plugin.data import dsprites

    return _noted.get(name) or dsprites.origin(name)


def has_hash(path: Path, known: str, size: int | None = None) -> bool:
    """Whether a file has this hash and, where it is given, this size in bytes.

    The hash of an unchanged file is computed once.

    Args:
        path: of the file.
        known: a SHA-256, or another hash behind its algorithm's name and a colon.
        size: of the file that has the hash.
    """
    status = path.stat()
    algorithm, _, digest = known.rpartition(":")
    return size in (None, status.st_size) and digest == _hash(
        path, status.st_mtime_ns, algorithm or "sha256"
    )


@functools.lru_cache
def _hash(path: Path, _mtime: int, algorithm: str) -> str:
    import pooch

    return pooch.file_hash(str(path), algorithm)
