# SPDX-License-Identifier: Apache-2.0
"""Lock files: one holder, and none that blocks the others after its end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import locks

HOLD = """
import pathlib, time, sys
from vae_ortho_plugin.files import locks
locks.LEASE_SECONDS = 2.0
with locks.locked(pathlib.Path(sys.argv[1]), "the test"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
OTHER_PID_NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
OTHER_PID_NAMESPACE += ["--kill-child", "--mount-proc"]


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """Path of a lock file."""
    monkeypatch.setattr(locks, "LEASE_SECONDS", 2.0)
    return tmp_path / "x.lock"


@pytest.fixture
def holder():
    """Starts a process that holds a lock for some seconds."""
    processes = []

    def start(lock, seconds, *within):
        process = subprocess.Popen(
            [*within, sys.executable, "-c", HOLD, lock, str(seconds)],
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


def take(lock):
    """Takes the lock if nobody holds it."""
    with locks.locked(lock, "the test"):
        return locks.holder_of(lock)


def record_of_another_machine(lock, pid=4711, seconds_old=0.0):
    """The lock that a process of a machine with this one's name has left."""
    lock.touch()
    lock.write_text(
        f"pid={pid}\nhost={socket.gethostname()}\ninode={lock.stat().st_ino}\n"
        "start=1\nkernel=another boot\n"
    )
    os.utime(lock, (time.time() - seconds_old,) * 2)


@pytest.mark.parametrize("waited_for", [False, True])
def test_the_lock_of_a_killed_process_of_this_host_is_taken_over_at_once(lock, holder, waited_for):
    process = holder(lock, 60)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | (0 if waited_for else os.WNOWAIT))
    assert lock.exists()
    assert take(lock).pid == os.getpid()
    assert os.listdir(lock.parent) == []


def test_a_process_that_was_given_the_number_of_the_holder_holds_nothing(lock, holder):
    process = holder(lock, 60)
    text, status = lock.read_text(), lock.stat()
    lock.write_text(text.replace(f"pid={process.pid}\n", f"pid={os.getpid()}\n"))
    assert lock.stat().st_ino == status.st_ino
    assert take(lock).pid == os.getpid()


def test_a_lock_that_is_renewed_is_refused_and_then_waited_for(lock, holder):
    process = holder(lock, 3)
    begun = time.monotonic()
    with pytest.raises(InputError, match=f"process {process.pid} on host"):
        take(lock)
    with locks.locked(lock, "the test", timeout=-1):
        assert time.monotonic() - begun > locks.LEASE_SECONDS
    assert process.wait() == 0


@pytest.mark.parametrize("inside", ["holder", "contender"])
def test_a_process_of_another_pid_namespace_with_this_host_name_keeps_its_lock(
    lock, holder, inside
):
    there = shutil.which("unshare") and subprocess.run(
        [*OTHER_PID_NAMESPACE, "true"], check=False, capture_output=True
    )
    if not there or there.returncode != 0:
        pytest.skip("no PID namespace can be made here")
    within = {"holder": (OTHER_PID_NAMESPACE, []), "contender": ([], OTHER_PID_NAMESPACE)}
    of_holder, of_contender = within[inside]
    holder(lock, 60, *of_holder)
    contend = [*of_contender, sys.executable, "-c", HOLD, lock, "0"]
    refused = subprocess.run(contend, check=False, capture_output=True, text=True)
    assert f"process {locks.holder_of(lock).pid} on host {socket.gethostname()}" in refused.stderr


@pytest.mark.parametrize("pid", [4711, os.getpid()], ids=["another", "this process"])
def test_the_lock_of_another_machine_of_the_same_name_is_judged_by_its_time_stamp(lock, pid):
    record_of_another_machine(lock, pid, seconds_old=1)
    with pytest.raises(InputError, match=f"process {pid} on host"):
        take(lock)
    record_of_another_machine(lock, pid, seconds_old=36000)
    assert take(lock).pid == os.getpid()
    assert os.listdir(lock.parent) == []


def test_a_lock_without_a_readable_record_is_judged_by_its_time_stamp(lock):
    lock.write_bytes(b"\xff")
    with pytest.raises(InputError, match="unknown"):
        take(lock)
    os.utime(lock, (0, 0))
    assert take(lock).pid == os.getpid()


def test_a_copy_of_a_held_lock_is_void_when_nobody_renews_it(lock, holder, tmp_path):
    holder(lock, 60)
    copy = tmp_path / "copy.lock"
    shutil.copy(lock, copy)
    os.utime(copy, (0, 0))
    assert take(copy).pid == os.getpid()


def test_a_time_stamp_of_the_future_counts_until_the_lease_is_over(lock, monkeypatch):
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.4)
    record_of_another_machine(lock, seconds_old=-36000)
    with pytest.raises(InputError, match="process 4711"):
        take(lock)
    begun = time.monotonic()
    with locks.locked(lock, "the test", timeout=-1):
        assert time.monotonic() - begun >= locks.LEASE_SECONDS


def test_a_process_of_this_host_keeps_its_lock_when_the_clock_jumps(lock, holder):
    holder(lock, 60).send_signal(signal.SIGSTOP)
    os.utime(lock, (0, 0))
    with pytest.raises(InputError, match="on host"):
        take(lock)


def test_the_time_of_the_file_system_is_asked_for_and_not_the_clock_of_the_host(lock, monkeypatch):
    record_of_another_machine(lock)
    monkeypatch.setattr(time, "time", lambda: 1e10)
    assert not locks.is_abandoned(lock)


def test_a_process_that_was_stopped_for_longer_than_its_lease_ends(lock, holder):
    process = holder(lock, 60)
    process.send_signal(signal.SIGSTOP)
    with locks.locked(lock, "the test", timeout=-1):
        process.send_signal(signal.SIGCONT)
        _, error = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "it has lost" in error
        assert lock.exists()


def test_a_lock_whose_folder_is_renamed_is_still_held(lock, holder, tmp_path):
    place = tmp_path / "before"
    place.mkdir()
    process = holder(place / "x.lock", 60)
    place.rename(tmp_path / "after")
    time.sleep(1)  # it is renewed every 0.7 s
    assert process.poll() is None
    with pytest.raises(InputError, match=f"process {process.pid} on host"):
        take(tmp_path / "after" / "x.lock")


def test_a_lock_that_was_taken_over_in_between_is_put_back(lock):
    lock.write_text("another process")
    locks._remove(lock, (0, 0))
    assert lock.read_text() == "another process"
    assert os.listdir(lock.parent) == ["x.lock"]
