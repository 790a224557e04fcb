# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can fix. Their messages say what is wrong, where, and what to do."""


class InputError(ValueError):
    """Bad input. dlib's scripts print its message alone, without a traceback, and exit with 1."""


def message_of(error: Exception) -> str:
    """What an error says, without the calls of configurables that gin adds to it."""
    return str(error).partition("\n  In call to configurable")[0]


class NonFiniteLossError(InputError):
    """The training loss became NaN or infinite."""
