# SPDX-License-Identifier: Apache-2.0
"""Files and directories that are complete or absent, their check sums, and locks.

Everything is written beside its place and renamed at the end. A rename within a directory is atomic on local
and on shared file systems, so that a reader never meets a half-written result.
"""

import contextlib
import fnmatch
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError

if TYPE_CHECKING:
    from filelock import SoftFileLease

# In a finished directory: the SHA-256 of each file, as `sha256sum --check` reads them.
SUMS = "SHA256SUMS"


def write_text(path: Path, text: str) -> None:
    """Writes a text file, durably; a reader sees the old file or the new one."""
    with written_beside(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Within: a path beside `path` to write the file to. At the end it becomes `path`.

    After an error the partial file is deleted and `path` is unchanged.

    Args:
        path: of the file; its directory is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept, because matplotlib and NumPy choose the format by it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        _synchronize(partial)
        partial.replace(path)
        _synchronize(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def publish(finished: Path, path: Path) -> None:
    """Renames a finished directory to `path`; a directory that is there is replaced by it.

    The old directory is moved aside first and deleted last, so that one of the two is complete at any
    moment; see `restore_replaced`.
    """
    replaced = _replaced(path)
    if path.is_dir():
        shutil.rmtree(replaced, ignore_errors=True)
        path.rename(replaced)
    finished.rename(path)
    _synchronize(path.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def restore_replaced(path: Path) -> None:
    """Gives a directory its name back that `publish` had moved aside when its process was killed."""
    if not path.exists() and _replaced(path).is_dir():
        _replaced(path).rename(path)


def _replaced(path: Path) -> Path:
    return path.with_name(f"{path.name}.replaced")


def seal(directory: Path, without: Collection[Path] = ()) -> None:
    """Waits until a finished directory is on the disk, and writes the check sums of its files.

    Args:
        directory: what is finished.
        without: files in it that get no sum.
    """
    lines = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        if path not in (directory / SUMS, *without):
            _synchronize(path)
            lines.append(f"{sha256(path)}  {path.relative_to(directory).as_posix()}\n")
    write_text(directory / SUMS, "".join(lines))


def check_seal(directory: Path, *patterns: str) -> None:
    """Checks files of a directory that `seal` has sealed; does nothing without check sums.

    Args:
        directory: has the file SHA256SUMS.
        patterns: of the files' paths within the directory, none for all of them; `*` matches slashes too.

    Raises:
        InputError: a file is missing, or is not what was written; names it.
    """
    sums = directory / SUMS
    if not sums.is_file():
        return
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        meant = not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns)
        if meant and not _has_sha256(directory / name, expected):
            raise InputError(
                f"{directory / name} is damaged: it is missing, or its SHA-256 is not the one in {sums}. "
                f"Make {directory} again, or copy it again from where it is whole. If you changed the "
                f"file on purpose, delete its line in {SUMS}."
            )


def _has_sha256(path: Path, expected: str) -> bool:
    try:
        return sha256(path) == expected
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


# Seconds after which a lock that its holder has not renewed is taken over. The holder renews it three times
# as often. A minute of this is for shared file systems, which may show old attributes that long.
LEASE_SECONDS = 180.0
_POLL_SECONDS = 0.5


@contextlib.contextmanager
def locked(path: Path, what: str, timeout: float = 0.0) -> Iterator[None]:
    """Within: this process alone holds the lock file `path`.

    The lock is the existence of the file (O_EXCL), which shared file systems honour too. It names the
    holder's host and process, and the holder renews its time stamp. A lock whose process is gone is taken
    over: at once where it ran on this host, else when LEASE_SECONDS passed without renewal while this
    process waited, so that a host that died blocks nobody for longer. Clocks of hosts are not compared.
    A process that finds its lock taken over, because it was stopped that long, exits.

    Args:
        path: of the lock file.
        what: what the lock protects, for the error message.
        timeout: seconds to wait for the holder; -1: as long as it lives.

    Raises:
        InputError: another process holds the lock; names its host and process.
    """
    # Late, because the measures do without filelock.
    from filelock import SoftFileLease

    path.parent.mkdir(parents=True, exist_ok=True)

    def end(lost: object) -> None:
        progress.say(f"this process ends: it has lost {path}, the lock of {what}.")
        os._exit(1)

    lock = SoftFileLease(path, lease_duration=LEASE_SECONDS, on_compromise=end)
    if not _acquired(lock, path, timeout):
        owner = lock.owner
        holder = f"process {owner.pid} on host {owner.hostname}" if owner else "unknown"
        raise InputError(
            f"Another process is at work in {what}: {holder}. Wait for it, or end it. If it has "
            f"ended on another machine, delete {path}."
        )
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: "SoftFileLease", path: Path, timeout: float) -> bool:
    """Acquires the lock within `timeout` seconds; whether that succeeded."""
    from filelock import Timeout

    begun = time.monotonic()
    seen, since = None, begun
    while True:
        try:
            lock.acquire(timeout=0)
            return True
        except Timeout:
            pass
        now = time.monotonic()
        if (found := _identity(path)) is None:
            continue  # released; filelock before 4.2 also says so of a dead holder's lock
        if found != seen:
            seen, since = found, now
        # filelock takes over by an exchange of two names, which NFS and most of FUSE cannot do.
        if _is_gone(lock) or now - since >= LEASE_SECONDS:
            _remove(path, found)
            continue
        if 0 <= timeout <= now - begun:
            return False
        time.sleep(_POLL_SECONDS)


def _identity(path: Path) -> tuple[int, int] | None:
    """What changes when a lock file is renewed or replaced; None where there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_gone(lock: "SoftFileLease") -> bool:
    """Whether the holder of a lock was a process of this host and has ended."""
    owner = lock.owner
    return owner is not None and has_ended(owner.pid, owner.hostname)


def has_ended(process: int, host: str) -> bool:
    """Whether a process has certainly ended; of another host, that cannot be known here."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        pass
    return False


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


def _synchronize(path: Path) -> None:
    """Waits until the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
