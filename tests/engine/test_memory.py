# SPDX-License-Identifier: Apache-2.0

import ctypes
import os
import platform
import resource

import pytest

from vae_ortho_plugin.engine import memory

SIZE = 100 * 2**20

on_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or any(map(os.environ.get, memory._USER_VARIABLES)),
    reason="no glibc, or the environment sets what it keeps: nothing is done there, as the last tests check",
)


def faults(times, size=SIZE):
    """Page faults of so many blocks of `size` bytes, each written to and freed."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes, library.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        block = library.malloc(size)
        ctypes.memset(block, 1, size)
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@on_glibc
def test_freed_memory_is_kept_within_and_given_back_after():
    page = resource.getpagesize()
    outside = faults(4)
    with memory.kept(SIZE):
        faults(1)
        within = faults(4)
    assert outside >= 4 * SIZE / page
    assert within < SIZE / page / 10
    assert faults(4) >= 4 * SIZE / page
    with memory.kept(2**20):
        assert faults(4) >= 4 * SIZE / page


@on_glibc
def test_smaller_blocks_are_used_again_after_it():
    with memory.kept(SIZE):
        pass
    small = 20 * 2**20
    faults(1, small)
    assert faults(4, small) < small / resource.getpagesize() / 10


@pytest.mark.parametrize("variable", ["GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_"])
def test_what_the_environment_sets_stays(variable, monkeypatch):
    monkeypatch.setenv(variable, "131072")
    monkeypatch.setattr(memory, "_set", lambda *_: pytest.fail("mallopt was called"))
    with memory.kept(SIZE):
        pass


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    with memory.kept(SIZE):
        pass
