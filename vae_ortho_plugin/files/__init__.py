# SPDX-License-Identifier: Apache-2.0
"""Files and directories that are complete or absent, and their check sums.

Everything is written beside its place and renamed at the end. A rename within a directory is atomic on local
and on shared file systems, so that a reader never meets a half-written result.
"""

import contextlib
import fnmatch
import hashlib
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vae_ortho_plugin.errors import InputError

# In a finished directory: the SHA-256 of each file, as `sha256sum --check` reads them.
SUMS = "SHA256SUMS"
_FILES_AT_A_TIME = 8


def behind_links(path: Path) -> Path:
    """Where links lead from `path`, as an absolute path; InputError for a circle. Nothing need be there yet."""
    real = Path(os.path.realpath(path))
    if os.path.islink(real):
        raise InputError(f"{path} is a link that leads back to itself. Name another place.")
    return real


def write_text(path: Path, text: str) -> None:
    """Writes a text file, durably; a reader sees the old file or the new one."""
    try:
        is_standard_output = os.path.samefile(path, 1)
    except OSError:  # no such file, or no standard output
        is_standard_output = False
    if is_standard_output:  # /dev/stdout, replaced, would lose what else a shell sends there
        sys.stdout.write(text)
        return
    with written_beside(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Within: a path beside `path` to write the file to. At the end it becomes `path`.

    After an error the partial file is deleted and `path` is unchanged. A link stays, and the file that it
    leads to is replaced. A device or a pipe is the path to write to itself. A missing directory is made.
    """
    real = behind_links(path)
    if path.exists() and not real.is_file():
        yield path
        return
    path = real
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: matplotlib and NumPy choose the format by it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        _synchronize(partial)
        partial.replace(path)
        _synchronize(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def directory_written_beside(
    path: Path, partial: Path, stays_after: type[Exception] | tuple = ()
) -> Iterator[None]:
    """Within: a directory is written to `partial`. At the end it is sealed and becomes `path`.

    After an error in the block the partial directory is deleted and `path` is unchanged; not after the errors
    `stays_after`, whose message names a file in it. Where the finished directory cannot be renamed, it stays.
    `path` is without links, and `partial` on the same file system.
    """
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield
        seal(partial)
    except stays_after:
        raise
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    publish(partial, path)


def publish(finished: Path, path: Path) -> None:
    """Renames a finished file or directory to `path` and replaces what is there.

    A directory is moved aside first and deleted last, so that one of the two is complete at any moment; see
    `restore_replaced`.
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
    """Waits until a finished directory is on the disk, and writes the sums of its files but those `without`."""
    unsealed = (directory / SUMS, *without)
    paths = sorted(one for one in directory.rglob("*") if one.is_file() and one not in unsealed)
    # A disk that is asked for many files at a time writes them three to ten times as fast.
    with ThreadPoolExecutor(_FILES_AT_A_TIME) as pool:
        list(pool.map(_synchronize, paths))
    lines = [f"{sha256(path)}  {path.relative_to(directory).as_posix()}\n" for path in paths]
    write_text(directory / SUMS, "".join(lines))


def check_seal(directory: Path, *patterns: str) -> None:
    """Checks files of a directory that `seal` has sealed; does nothing without check sums.

    `patterns` are of the files' paths within the directory, none for all of them; `*` matches slashes too.

    Raises:
        InputError: a file is missing, or is not what was written; names it.
    """
    sums = directory / SUMS
    if not sums.is_file():
        return
    for line in filter(None, sums.read_text(encoding="utf-8", errors="replace").splitlines()):
        expected, _, name = line.partition("  ")
        if patterns and not any(fnmatch.fnmatchcase(name, one) for one in patterns):
            continue
        try:
            is_whole = sha256(directory / name) == expected
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
            is_whole = False
        if not is_whole:
            raise InputError(
                f"{directory / name} is damaged: it is missing, or its SHA-256 is not the one in {sums}. "
                f"Make {directory} again, or copy it again from where it is whole. If you changed the "
                f"file on purpose, delete its line in {SUMS}."
            )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _synchronize(path: Path) -> None:
    """Waits until the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
