# SPDX-License-Identifier: Apache-2.0
"""What a process has read from files, so that it reads unchanged files once."""

from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import TypeVar

from vae_ortho_plugin.data.files import read_files

Content = TypeVar("Content")

_large: dict[Hashable, object] = {}
_small: dict[Hashable, object] = {}


def cached(
    name: str, files: Collection[Path], read: Callable[[], Content], small: bool = False
) -> Content:
    """What `read` returns; it is called once as long as the files stay unchanged.

    Of large contents, only the last one stays in memory: two data sets need not fit together.

    Args:
        name: of the content.
        files: what it is read from; they exist.
        small: whether the content takes next to no memory.
    """
    if not small:
        read_files.note(files)
    key, cache = _key(name, files), _small if small else _large
    if key not in cache:
        if not small:
            cache.clear()
        cache[key] = read()
    return cache[key]


def is_cached(name: str, files: Collection[Path]) -> bool:
    """Whether a large content is in memory."""
    return _key(name, files) in _large


def _key(name: str, files: Collection[Path]) -> Hashable:
    return (name, *((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))
