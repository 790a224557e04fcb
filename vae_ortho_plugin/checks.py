# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments that users set in gin."""

import difflib
import numbers
from collections.abc import Collection, Iterable

from vae_ortho_plugin.errors import InputError


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Such as ' Did you mean mnist?', for the end of a sentence; '' where no known name is near."""
    close = difflib.get_close_matches(name, known, n=2)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def check_whole(name: str, value: object, at_least: int = 0) -> None:
    """Checks that an argument is a whole number from `at_least` to 2^32 - 1.

    Args:
        name: of the argument, as the user wrote it, for the message.

    Raises:
        InputError: it is not.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (whole and at_least <= value < 2**32):
        raise InputError(f"{name} = {value!r}; it must be a whole number from {at_least} on.")


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
