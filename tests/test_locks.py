# SPDX-License-Identifier: Apache-2.0
"""Lock files: one holder, and none that blocks the others after its end."""

import os
import signal
import subprocess
import sys
import time

import filelock
import pytest

from vae_ortho_plugin import files
from vae_ortho_plugin.errors import InputError

HOLD = """
import pathlib, time, sys
from vae_ortho_plugin import files
files.LEASE_SECONDS = 2.0
with files.locked(pathlib.Path(sys.argv[1]), "the test"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(params=["local", "shared"])
def lock(request, tmp_path, monkeypatch):
    """Path of a lock file; on a shared file system filelock takes none over."""
    monkeypatch.setattr(files, "LEASE_SECONDS", 2.0)
    path = tmp_path / "x.lock"
    if request.param == "shared":
        acquire = filelock.SoftFileLease.acquire

        def acquire_free_one(lease, *args, **kwargs):
            if path.exists():
                raise filelock.Timeout(str(path))
            return acquire(lease, *args, **kwargs)

        monkeypatch.setattr(filelock.SoftFileLease, "acquire", acquire_free_one)
    return path


@pytest.fixture
def holder(lock):
    """Starts a process that holds the lock for some seconds."""
    processes = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, lock, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_lock_of_a_killed_process_of_this_host_is_taken_over_at_once(lock, holder):
    process = holder(60)
    process.kill()
    process.wait()
    assert lock.exists()
    begun = time.monotonic()
    with files.locked(lock, "the test"):
        assert time.monotonic() - begun < 1.5
    assert os.listdir(lock.parent) == []


def test_a_lock_that_is_renewed_is_refused_and_then_waited_for(lock, holder):
    process = holder(5)
    begun = time.monotonic()
    with pytest.raises(InputError, match=f"process {process.pid} on host"):
        files.locked(lock, "the test").__enter__()
    with files.locked(lock, "the test", timeout=-1):
        assert time.monotonic() - begun > 4
    assert process.wait() == 0


def test_the_lock_of_a_host_that_died_is_taken_over_when_its_lease_is_over(lock):
    lock.write_text("filelock/2\npid=4711\nhost=node7\nmode=lease\ntoken=a\nduration=2.0\n")
    with pytest.raises(InputError, match="process 4711 on host node7"):
        files.locked(lock, "the test").__enter__()
    begun = time.monotonic()
    with files.locked(lock, "the test", timeout=-1):
        assert 1.5 < time.monotonic() - begun < 10
    assert os.listdir(lock.parent) == []


def test_a_process_that_was_stopped_for_longer_than_its_lease_ends(lock, holder):
    process = holder(60)
    process.send_signal(signal.SIGSTOP)
    with files.locked(lock, "the test", timeout=-1):
        process.send_signal(signal.SIGCONT)
        _, error = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "it has lost" in error
        assert lock.exists()


def test_a_lock_that_was_taken_over_in_between_is_put_back(lock):
    lock.write_text("another process")
    files._remove(lock, (0, 0))
    assert lock.read_text() == "another process"
    assert os.listdir(lock.parent) == ["x.lock"]
