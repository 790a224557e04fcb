# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can fix, and checks of what users set.

Their messages say what is wrong, where, and what to do.
"""

import difflib
import math
import numbers
import os
import re
from collections.abc import Collection, Iterable


class InputError(ValueError):
    """Bad input. dlib's scripts print its message alone, without a traceback, and exit with 1."""


def message_of(error: Exception) -> str:
    """What an error says, without the calls of configurables that gin adds to it."""
    return str(error).partition("\n  In call to configurable")[0]


class NonFiniteLossError(InputError):
    """The training loss became NaN or infinite."""


def did_you_mean(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """Such as ' Did you mean mnist?', for the end of a sentence; '' where no known name is near."""
    close = difflib.get_close_matches(name, known, n=2, cutoff=cutoff)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def check_whole(name: str, value: object, at_least: int = 0) -> None:
    """Checks that an argument is a whole number from `at_least` to 2^32 - 1.

    Args:
        name: of the argument, as the user wrote it, for the message.

    Raises:
        InputError: it is not.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (whole and at_least <= int(value) < 2**32):  # type: ignore[call-overload]
        bound = "on" if not whole or value < at_least else "to 2^32 - 1"  # type: ignore[operator]
        raise InputError(f"{name} = {value!r}; it must be a whole number from {at_least} {bound}.")


def check_between(
    name: str, value: object, least: float, largest: float, or_least: bool = False
) -> None:
    """Checks that an argument is a number between two bounds, which are excluded.

    Args:
        name: of the argument, as the user wrote it, for the message.
        or_least: accept `least`, too.

    Raises:
        InputError: it is not.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if real and (least < value < largest or (or_least and value == least)):  # type: ignore[operator]
        return
    needed = f"a number between {least} and {largest}"
    if not math.isfinite(largest):
        needed = (
            f"a finite number from {least} on" if or_least else f"a finite number above {least}"
        )
    raise InputError(f"{name} = {value!r}; it must be {needed}.")


def check_no_pattern(path: "str | os.PathLike[str]") -> None:
    r"""Checks that TensorFlow can write and read a model in a directory.

    It takes the path of a checkpoint for a pattern of paths. With `[` or `\` it then finds no checkpoint, and with
    `*` or `?` it may delete another model's.

    Raises:
        InputError: the absolute path has one of these characters.
    """
    absolute = os.path.abspath(path)
    if found := re.search(r"[\\*?\[]", absolute):
        raise InputError(
            f"The path {absolute} contains {found[0]!r}, and TensorFlow takes a path with [, *, ? or \\ for a "
            "pattern of paths, so that it does not find its files. Rename the directory, or name another one."
        )


def check_one_of(name: str, value: object, known: Iterable[object]) -> None:
    """Checks that an argument is one of the known values.

    Args:
        name: of the argument, as the user wrote it, for the message.

    Raises:
        InputError: it is not; the message lists the known values.
    """
    known = list(known)
    if value not in known:
        raise InputError(
            f"{name} = {value!r} is unknown; take one of {', '.join(map(str, known))}."
        )
