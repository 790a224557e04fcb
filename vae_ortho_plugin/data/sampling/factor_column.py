# SPDX-License-Identifier: Apache-2.0
"""The values of one generating factor, checked before anything is computed from them."""

import numpy as np

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import as_array, element, float_array

_REAL = "biuf"
_TEXT = "US"
_DATES = "mM"


def factor_column(values: object, name: str) -> np.ndarray:
    """The values of a factor: an array [points] of real numbers, booleans, strings or dates.

    Args:
        values: [points]; Python objects of these types, too.
        name: how a message names the values, such as "factors[:, 2]".

    Raises:
        InputError: they have another shape or type, are of mixed types, or one is not finite (NaN, an
            infinity, NaT).
    """
    column = as_array(name, values)
    if column.dtype.kind in "OT":
        entries = column.tolist()
        column = as_array(name, entries)
        if column.dtype.kind in _TEXT and not all(isinstance(e, (str, bytes)) for e in entries):
            other = next(e for e in entries if not isinstance(e, (str, bytes)))
            raise InputError(f"{name} has strings and {other!r}; one factor is of one type.")
    kind = column.dtype.kind
    if column.ndim != 1 or kind not in _REAL + _TEXT + _DATES:
        raise InputError(
            f"{name} is an array of the type {column.dtype} and the shape {column.shape}; each factor is "
            "one column of real numbers, booleans, strings or dates."
        )
    if kind == "f":
        float_array(name, column)
    elif kind in _DATES and np.isnat(column).any():
        place = element(name, (int(np.isnat(column).argmax()),))
        raise InputError(f"{place} is NaT; every value must be known.")
    return column


def is_number(column: np.ndarray) -> bool:
    """Whether the values of a factor are numbers or booleans, which may lie on a scale."""
    return column.dtype.kind in _REAL
