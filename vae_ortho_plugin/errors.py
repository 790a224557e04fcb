# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can fix. Their messages say what is wrong, where, and what to do."""


class InputError(ValueError):
    """Bad input. dlib's scripts print its message alone, without a traceback, and exit with 1."""


class NonFiniteLossError(InputError):
    """The training loss became NaN or infinite."""
