# SPDX-License-Identifier: Apache-2.0
"""Where the data of a name come from, if they are not the published ones."""

import functools
import sys
from pathlib import Path

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
        print(f"vae_ortho_plugin: {name}: {origin}. Results say so.", file=sys.stderr)


def origin(name: str) -> str | None:
    """What every result says of the data set `name` of dlib; None for published data."""
    from vae_ortho_plugin.data import dsprites

    return _noted.get(name) or dsprites.origin(name)


def has_sha256(path: Path, sha256: str, size: int) -> bool:
    """Whether a file has this size in bytes and this SHA-256; computed once for unchanged files."""
    status = path.stat()
    return status.st_size == size and _sha256(path, status.st_mtime_ns) == sha256


@functools.lru_cache
def _sha256(path: Path, _mtime: int) -> str:
    import pooch

    return pooch.file_hash(str(path))
