# SPDX-License-Identifier: Apache-2.0
"""The output directory of a step: complete or absent, and written by one process at a time."""

import contextlib
import errno
import functools
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from vae_ortho_plugin import files
from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.errors import InputError, check_no_pattern
from vae_ortho_plugin.files import locks

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_REMEDIES = {
    **dict.fromkeys(_FULL, "Make room there, and start again"),
    **dict.fromkeys(_FORBIDDEN, "Get the right to write there, or name another directory"),
    # Beside a directory, names with up to 11 letters more are written.
    errno.ENAMETOOLONG: "Take a shorter name",
}


@contextlib.contextmanager
def _write_errors_explained(directory: Path) -> Iterator[None]:
    """Within: a full disk or a missing right, in Python or in TensorFlow, becomes InputError.

    A missing right to read another file, as in a user's own code, passes as it is.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if isinstance(error, PermissionError) and not _is_written(error.filename, directory):
            raise
        for number, remedy in _REMEDIES.items():
            if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
                reason = str(error).strip().partition("\n")[0]
                raise InputError(f"{directory} cannot be written: {reason}. {remedy}.") from error
        raise


def _is_written(path: object, directory: Path) -> bool:
    """Whether a step writes this file with its output directory; true where an error names none."""
    if not isinstance(path, str | Path):
        return True
    path, parent = Path(path).absolute(), directory.parent
    if path.is_relative_to(parent) and path != parent:
        return directory.name in path.relative_to(parent).parts[0]
    return parent.is_relative_to(path)


def refuse_existing(path: str, overwrite: bool) -> None:
    """Raises InputError unless a step may write its output directory.

    It exists and `overwrite` is False, it is a file or cannot be renamed, or its path is a pattern to TensorFlow.
    """
    check_no_pattern(files.behind_links(Path(path)))
    if os.path.isdir(path) and not overwrite:
        raise InputError(
            f"The output directory {path} exists and was left untouched. Name another one, or replace "
            "it with --overwrite."
        )
    if os.path.ismount(path):
        raise InputError(
            f"The output directory {path} is the root of a file system, which cannot be replaced. Name "
            "a directory in it."
        )
    if os.path.exists(path) and not os.path.isdir(path):
        raise InputError(f"The output directory {path} is a file. Name another one.")


@contextlib.contextmanager
def unfinished(path: str, overwrite: bool) -> Iterator[str]:
    """Within: a path beside `path` to write the directory to. At the end it becomes `path`.

    After an error it is deleted, and an older directory `path` is unchanged. Where `path` is a link, it
    stays, and the directory that it leads to is written. Errors are those of `refuse_existing` and `locked`.
    """
    with locked(path) as directory:
        partial = partial_of(directory)
        refuse_existing(path, overwrite)
        with files.directory_written_beside(directory, partial):
            yield str(partial)


def partial_of(directory: Path) -> Path:
    """Where a directory is while it is unfinished."""
    return directory.with_name(f"{directory.name}.unfinished")


@contextlib.contextmanager
def locked(path: str) -> Iterator[Path]:
    """Within: this process alone writes the yielded directory, and the directory that holds it exists.

    Links are followed, so that two names of a directory have one lock. InputError if another process writes it, or
    it cannot be written.
    """
    directory = files.behind_links(Path(path))
    lock = directory.with_name(f".{directory.name}.lock")
    with (
        _write_errors_explained(directory),
        _made_parents(directory),
        locks.locked(lock, str(directory)),
    ):
        files.restore_replaced(directory)
        yield directory


def written_when_complete(step: Callable) -> Callable:
    """A step of dlib that checks what gin binds and writes its `output_dir` by way of `unfinished`."""
    signature = inspect.signature(step)

    @functools.wraps(step)
    def complete_or_absent(*args, **kwargs):
        gin_values.check()
        # Parameters that are not given are left to gin.
        given = signature.bind_partial(*args, **kwargs).arguments
        with unfinished(given["output_dir"], given.get("overwrite", False)) as partial:
            return step(**{**given, "output_dir": partial, "overwrite": True})

    return complete_or_absent


@contextlib.contextmanager
def _made_parents(path: Path) -> Iterator[None]:
    """Within: the directory of `path` exists. Directories made for it are removed after an error."""
    made = [parent for parent in path.absolute().parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # one of them holds something
            for parent in made:
                parent.rmdir()
        raise
