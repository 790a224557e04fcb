# SPDX-License-Identifier: Apache-2.0
"""What the C library is told about freed memory."""

import types

import pytest

from vae_ortho_plugin.engine import memory

LARGE = 100 * 2**20


@pytest.fixture
def calls(monkeypatch):
    """What is called of a C library that stands in for glibc."""
    made = []
    library = types.SimpleNamespace(
        mallopt=lambda name, value: made.append((name, value)),
        malloc_trim=lambda pad: made.append("trim"),
    )
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    for variable in memory._USER_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return made


def test_freed_memory_stays_within_and_goes_back_after(calls):
    # glibc's malloc.h: M_TRIM_THRESHOLD −1, M_MMAP_THRESHOLD −3, M_MMAP_MAX −4.
    with memory.reused(LARGE):
        assert dict(calls) == {-1: 2**31 - 1, -4: 0}
        calls.clear()
    assert calls.pop() == "trim"
    # Its own highest thresholds: blocks of some MB are used again as before.
    assert dict(calls) == {-1: 64 * 2**20, -3: 32 * 2**20, -4: 65_536}


def test_nothing_is_done_for_small_blocks_with_other_libraries_and_where_the_environment_sets_it(
    calls, monkeypatch
):
    with memory.reused(2**20):
        pass
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072")
    with memory.reused(LARGE):
        pass
    monkeypatch.delenv("GLIBC_TUNABLES")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    with memory.reused(LARGE):
        pass
    assert calls == []
