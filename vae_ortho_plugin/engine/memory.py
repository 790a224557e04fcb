# SPDX-License-Identifier: Apache-2.0
"""The memory that a training step, or a batch of Jacobians, frees is used again by the next one.

A step on a large network frees buffers as large as its weights. The C library may give such blocks back to
the system and take them anew in the next step: dSprites' fully connected network then trained 10 steps a second
instead of 16, and DtO of its decoder lost a quarter of its speed (docs/notes/performance_history.md).
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator

# Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
# glibc maps each larger block anew.
_LARGE = 32 * 2**20
_WITHIN = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
# A call of mallopt ends glibc's own adjustment of the thresholds. These are its highest values, which a
# process that has freed large blocks has anyway. With the initial 128 KB, every batch of DtO would be mapped anew.
_AFTERWARDS = {_TRIM_THRESHOLD: 2 * _LARGE, _MMAP_THRESHOLD: _LARGE, _MMAP_MAX: 65_536}
# Variables of the environment that set these parameters. mallopt cannot read what they were set to.
_USER_VARIABLES = (
    "GLIBC_TUNABLES",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_MMAP_MAX_",
)


@contextlib.contextmanager
def reused(byte_count: int, at_least: int = _LARGE) -> Iterator[None]:
    """Within: freed memory stays with this process. Afterwards it goes back to the system.

    Does nothing where a step frees fewer than `at_least` bytes, which glibc uses again by itself, with other C
    libraries, and where the environment sets glibc's parameters.
    """
    library = ctypes.CDLL(None)
    has_both = hasattr(library, "mallopt") and hasattr(library, "malloc_trim")
    if byte_count < at_least or not has_both or any(map(os.environ.get, _USER_VARIABLES)):
        yield
        return
    for name, value in _WITHIN.items():
        library.mallopt(name, value)
    try:
        yield
    finally:
        for name, value in _AFTERWARDS.items():
            library.mallopt(name, value)
        library.malloc_trim(0)
