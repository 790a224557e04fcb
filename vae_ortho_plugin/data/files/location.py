# SPDX-License-Identifier: Apache-2.0
"""The directory that holds the data sets, and what messages say about files in it.

The rule is dlib's; it is applied when a data set is made, not when dlib is imported.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from vae_ortho_plugin.errors import InputError

VARIABLE = "DISENTANGLEMENT_LIB_DATA"


def data_root(root: str | Path | None = None) -> Path:
    """`root`, else $DISENTANGLEMENT_LIB_DATA, else the current directory as in dlib; absolute."""
    return Path(root if root is not None else os.environ.get(VARIABLE, ".")).absolute()


def describe_root(root: str | Path | None = None) -> str:
    """Says in a message where `data_root(root)` comes from."""
    if root is not None:
        return f"root = {str(root)!r}"
    if VARIABLE in os.environ:
        return f"{VARIABLE} = {os.environ[VARIABLE]!r}"
    return f"{VARIABLE} is not set, so the current directory {str(data_root())!r} is used"


def remedy(data_set: str, place: Path, by_hand: str = "", root: str | Path | None = None) -> str:
    """Ends the message about a missing or broken data set: the command and the place of its files.

    `by_hand` is what else can be done, a half sentence that begins with "or".
    """
    also = f", {by_hand}" if by_hand else ""
    return (
        f"Run `vae_ortho_download_data {data_set}`{also}. The files are expected in {place}. This "
        f"place follows from {describe_root(root)}; set {VARIABLE} to the directory that holds "
        f"{place.name}/ to use another."
    )


def exists(path: Path) -> bool:
    """Whether there is something at `path`; also where this user may not look."""
    try:
        path.stat()
    except OSError as error:
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))
    return True


def check_file(path: Path) -> None:
    """Checks that a file is there, not empty, and readable for this user."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: a directory, where a file is expected.")
        with open(path, "rb") as file:
            empty = not file.read(1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file. {contents(path.parent)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    if empty:
        raise InputError(f"{path}: damaged or truncated (it is empty, as after a failed download).")


@contextlib.contextmanager
def reading(path: Path, fault: str, *errors: type[Exception]) -> Iterator[None]:
    """Within: these errors become an InputError that names the file and the fault, such as "damaged"."""
    try:
        yield
    except InputError:
        raise
    except errors as error:
        raise InputError(f"{path}: {fault} ({error}).") from error


def contents(folder: Path) -> str:
    """Says in a message what a folder holds."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return f"There is no folder {folder}."
    except OSError as error:
        return f"The folder {folder} cannot be read ({error.strerror})."
    if not names:
        return f"The folder {folder} is empty."
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"The folder {folder} holds {', '.join(names[:8])}{more}."
