# SPDX-License-Identifier: Apache-2.0
"""Keeps the large data set that a process read last, and gives its bytes as images in [0, 1]."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import numpy as np

from vae_ortho_plugin.data import read_files

Content = TypeVar("Content")

_kept: dict[Hashable, object] = {}


def keep(name: str, files: list[Path], read: Callable[[], Content]) -> Content:
    """What `read` returns, read once per process as long as the files stay unchanged.

    Only the last one is kept: two large data sets need not fit into memory together.

    Args:
        name: of the data set.
        files: what it is read from; they exist.
    """
    read_files.note(files)
    key = _key(name, files)
    if key not in _kept:
        _kept.clear()
        _kept[key] = read()
    return _kept[key]


def is_kept(name: str, files: list[Path]) -> bool:
    """Whether `keep` would return at once."""
    return _key(name, files) in _kept


def _key(name: str, files: list[Path]) -> Hashable:
    return (name, *((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


class ScaledImages:
    """Images in [0, 1] that are stored as bytes: each access makes float32 of what it asks for.

    It takes the place of the float arrays that dlib's data sets index.

    Attributes:
        stored: uint8 [n, ...].
    """

    def __init__(self, stored: np.ndarray):
        self.stored = stored

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index) -> np.ndarray:
        return self.stored[index].astype(np.float32) / np.float32(255)
