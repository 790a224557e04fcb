# SPDX-License-Identifier: Apache-2.0
"""Whether a file is the published one, and what results say of data that are not."""

import hashlib
from pathlib import Path

from vae_ortho_plugin.data.files.cache import cached
from vae_ortho_plugin.engine import progress

_noted: dict[str, str] = {}


def note(name: str, origin: str | None) -> None:
    """Records for this process what the data set is that was last read as `name`.

    The user is told once of data that are not the published ones.

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
    """Whether a file has this hash.

    Args:
        path: of the file.
        known: a SHA-256, or another hash behind its algorithm's name and a colon.
        size: in bytes of the file that has the hash; it spares reading files of another size.
    """
    algorithm, _, digest = known.rpartition(":")

    def read() -> str:
        found = hashlib.new(algorithm or "sha256", usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
        return found.hexdigest()

    return size in (None, path.stat().st_size) and digest == cached(
        f"hash {algorithm}", [path], read, small=True
    )
