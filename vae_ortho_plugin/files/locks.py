# SPDX-License-Identifier: Apache-2.0
"""Lock files: one holder, which renews its lock, and none that blocks the others after its end.

A lock is the existence of its file (O_EXCL), which shared file systems honour too. It names the process
that holds it, and the holder renews its time stamp. `is_abandoned` judges it.
"""

import contextlib
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError

# Seconds after which a lock that its holder has not renewed is taken over. The holder renews it three times
# as often. A minute of this is for shared file systems, which may show old attributes that long.
LEASE_SECONDS = 180.0
_POLL_SECONDS = 0.5


class Holder(NamedTuple):
    """The process that a lock file names."""

    pid: int  # in its PID namespace
    host: str
    inode: int | None = None  # of the lock file when it was taken; a copy has another one
    start: str | None = None  # of the process, in ticks since the boot
    kernel: str | None = None  # the boot and the namespaces that number pid and start

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}"


@contextlib.contextmanager
def locked(path: Path, what: str, timeout: float = 0.0) -> Iterator[None]:
    """Within: this process alone holds the lock file `path`, which protects `what`.

    A lock that `is_abandoned` is taken over at once. So is one that was not renewed for LEASE_SECONDS while this
    process waited, up to `timeout` seconds (-1: as long as the holder lives): its holder is stopped, or clocks
    jumped. A process that finds its lock taken over exits.

    Raises:
        InputError: another process holds the lock; names its host and process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquired(path, timeout)
    if descriptor is None:
        raise InputError(
            f"Another process is at work in {what}: {holder_of(path) or 'unknown'}. Wait for it, or end "
            f"it. If it has ended on another machine, start again {LEASE_SECONDS:.0f} s after its end, or "
            f"delete {path}."
        )
    released = threading.Event()
    renewal = threading.Thread(
        target=_renew, args=(path, descriptor, released, what), name="lock", daemon=True
    )
    renewal.start()
    try:
        yield
    finally:
        released.set()
        renewal.join()
        with contextlib.suppress(OSError):  # such as a file server that does not answer
            if not _is_lost(path, descriptor):
                path.unlink()
        os.close(descriptor)


def holder_of(path: Path) -> Holder | None:
    """The process that holds a lock; None where nobody does, or where the lock does not name it."""
    return None if is_abandoned(path) else _named(path)


def _named(path: Path) -> Holder | None:
    """The process that a lock file names, at work or not; None without a readable one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines = re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)
    named = {key: value for key, value in lines if key in Holder._fields}
    try:
        numbers = {key: int(named[key]) for key in ("pid", "inode") if key in named}
        return Holder(**{**named, **numbers})
    except (ValueError, TypeError):  # not a number; no pid or host
        return None


def is_abandoned(path: Path) -> bool:
    """Whether a lock is free: nobody holds it any more.

    The name of a host says nothing: containers and machines share names, and names change. A process is
    looked up only where this boot of this machine numbers it in this PID namespace. Any other lock is
    judged by its own time stamp.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    holder, kernel = _named(path), _kernel()
    if holder and kernel and (holder.inode, holder.kernel) == (status.st_ino, kernel):
        ended = _has_ended(holder)
        if ended is not None:
            return ended
    try:
        # Files are stamped by a file server's clock, which may differ from ours.
        with tempfile.TemporaryFile(dir=path.parent) as file:
            now = os.fstat(file.fileno()).st_mtime
    except OSError:  # such as a missing right, where `--status` is asked
        now = time.time()
    return now - status.st_mtime >= LEASE_SECONDS


def _kernel() -> str | None:
    """Where numbers and starts of processes mean the same; None where that cannot be known."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):  # /proc of another PID namespace
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        names = sorted({"pid", "time"}.intersection(os.listdir("/proc/self/ns")))
        return " ".join([boot, *(os.readlink(f"/proc/self/ns/{name}") for name in names)])
    except OSError:
        return None


def _has_ended(holder: Holder) -> bool | None:
    """Whether a process of this kernel has ended; None where /proc hides it."""
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        pass
    state, start = _state_and_start(holder.pid)
    if start is None:
        return None
    # A number is given again, and a zombie waits for its parent alone.
    return start != holder.start or state in ("Z", "X")


def _state_and_start(pid: int) -> tuple[str | None, str | None]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None, None
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _acquired(path: Path, timeout: float) -> int | None:
    """Descriptor of the lock file, taken within `timeout` seconds; None where another holds it."""
    begun = time.monotonic()
    seen, since = None, begun
    while True:
        with contextlib.suppress(FileExistsError):
            return _create(path)
        now = time.monotonic()
        if (found := _identity(path)) is None:
            continue  # released
        if found != seen:
            seen, since = found, now
        if now - since >= LEASE_SECONDS or is_abandoned(path):
            _remove(path, found)
            continue
        if 0 <= timeout <= now - begun:
            return None
        time.sleep(_POLL_SECONDS)


def _create(path: Path) -> int:
    """Makes the lock file of this process; FileExistsError where there is one."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        named = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "inode": os.fstat(descriptor).st_ino,
        }
        if (kernel := _kernel()) is not None:
            # The kernel last, so that a part of the record is judged by its time stamp.
            named |= {"start": _state_and_start(os.getpid())[1], "kernel": kernel}
        os.write(descriptor, "".join(f"{key}={value}\n" for key, value in named.items()).encode())
    except BaseException:
        path.unlink()
        os.close(descriptor)
        raise
    return descriptor


def _renew(path: Path, descriptor: int, released: threading.Event, what: str) -> None:
    """Renews the lock until it is released; ends the process when it is lost."""
    renewed = time.monotonic()
    while not released.wait(LEASE_SECONDS / 3):
        try:
            lost = _is_lost(path, descriptor)
            os.utime(descriptor)
            renewed = time.monotonic()
        except OSError:  # such as a file server that does not answer
            lost = time.monotonic() - renewed >= LEASE_SECONDS * 2 / 3
        if lost:
            progress.say(f"this process ends: it has lost {path}, the lock of {what}.")
            os._exit(1)


def _is_lost(path: Path, descriptor: int) -> bool:
    """Whether the lock file is another one or deleted; not when its directory was renamed."""
    held = os.fstat(descriptor)
    try:
        return not os.path.samestat(path.lstat(), held)
    except FileNotFoundError:
        return held.st_nlink == 0


def _identity(path: Path) -> tuple[int, int] | None:
    """What changes when a lock file is renewed or replaced; None where there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _remove(path: Path, judged: tuple[int, int]) -> None:
    """Removes an abandoned lock file, unless another process has just taken it over.

    Of several processes, the rename succeeds for one.
    """
    aside = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.abandoned")
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)
        if _identity(aside) != judged:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
