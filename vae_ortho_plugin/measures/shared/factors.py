# SPDX-License-Identifier: Apache-2.0
"""Generating factors as columns of numbers, checked, for the measures that predict them from latents."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError, check_one_of
from vae_ortho_plugin.measures.shared.arrays import (
    Floats,
    as_array,
    check_finite,
    check_shape,
    element,
    float_array,
)

KINDS = ("continuous", "categorical")
# From here on float64 does not tell neighbouring integers apart.
_EXACT = 2.0**53


def checked_factors(
    factors: ArrayLike,
    factor_kinds: Sequence[str],
    points: int,
    factor_names: Sequence[str] | None = None,
) -> tuple[list[Floats], list[str], list[str]]:
    """Each factor's values in float64 [points], the kinds and the names; arguments as `disentanglement_score`.

    Classes are their places in sorted order, so that none are merged.
    """
    table = _table(factors)
    check_shape("factors", table, points=points, factors=None)
    number = table.shape[1]
    kinds = [factor_kinds] * number if isinstance(factor_kinds, str) else list(factor_kinds)
    names = [f"factor {k}" for k in range(number)] if factor_names is None else list(factor_names)
    for what, entries in (("factor_kinds", kinds), ("factor_names", names)):
        if len(entries) != number:
            raise InputError(f"{what} has {len(entries)} entries for {number} factors.")
    columns = []
    for k, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        check_one_of(f"factor_kinds[{k}]", kind, KINDS)
        columns.append(_values(table, k, kind, name))
        check_varies(bool(np.ptp(columns[-1])), kind, name, table[0, k])
    return columns, kinds, names


def check_varies(varies: bool, kind: str, name: str, value: object, among: str = "points") -> None:
    """Raises InputError for a factor that does not vary but has this value at all points, or the given ones."""
    if not varies:
        shown = value.item() if isinstance(value, np.generic) else value
        raise InputError(
            f"The {kind} factor {name!r} has the same value ({shown!r}) at all {among}, so there is "
            "nothing to predict: leave it out or take more points."
        )


def _table(factors: ArrayLike) -> NDArray[Any]:
    """The factors as integers or in float64 or, where that would change them, as objects."""
    array = as_array("factors", factors)
    kind = array.dtype.kind
    if kind in "iu":
        return array
    # A list or a data frame, which has no one type: its integers beside fractions became float64.
    inexact = kind == "f" and not hasattr(factors, "dtype") and bool((abs(array) >= _EXACT).any())
    if kind not in "USTO" and not inexact:
        return float_array("factors", array, booleans=True)
    # A list of numbers and strings is an array of strings, unless objects are asked for.
    return np.asarray(factors if kind != "O" else array, dtype=object)


def _values(table: NDArray[Any], k: int, kind: str, name: str) -> Floats:
    column = table[:, k]
    if column.dtype == object:
        types = [_type(value) for value in column]
        expected = numbers.Real if kind == "continuous" else types[0]
        for point, found in enumerate(types):
            if found is None or found is not expected:
                must = "be numbers" if kind == "continuous" else "all be numbers or all be strings"
                raise InputError(
                    f"{element('factors', (point, k))} is {column[point]!r}; the values of the {kind} "
                    f"factor {name!r} must {must}."
                )
        if expected is numbers.Real:
            check_finite(f"factors[:, {k}]", column.astype(np.float64))
        else:
            column = column.astype(expected)
    if kind == "continuous":
        return np.asarray(column, np.float64)
    return np.asarray(np.unique(column, return_inverse=True)[1], np.float64)


def _type(value: object) -> type | None:
    allowed = (str, bytes, numbers.Real)
    return next((kind for kind in allowed if isinstance(value, kind)), None)
