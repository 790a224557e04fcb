# SPDX-License-Identifier: Apache-2.0
"""A user's generating factors as columns with names and kinds, out of an array, a list or a data frame."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import as_array, element, float_array
from vae_ortho_plugin.measures.shared.factors import KINDS

_REAL = "biuf"
_TEXT = "US"
_DATES = "mM"


@dataclasses.dataclass(frozen=True, eq=False)
class FactorTable:
    """Generating factors of points.

    Attributes:
        columns: [points] for each factor, as `factor_column` returns it; numbers where it is continuous.
        names: of the factors.
        kinds: "continuous" or "categorical" for each factor.
    """

    columns: list[np.ndarray]
    names: list[str]
    kinds: list[str]


def factor_table(
    factors: object,
    points: int,
    kinds: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    where: str = "",
) -> FactorTable:
    """The factors with their names and kinds.

    Args:
        factors: [points, factors] or [points], of numbers, strings or dates; or what has names for its
            columns: a data frame of pandas or polars, a dict, a structured array [points].
        points: number of points that there are.
        kinds: one for each factor, or one for all. The default is continuous for floating-point numbers
            and categorical for integers, booleans, strings, dates and categories.
        names: of the factors. The default is those of the columns, or factor 0, factor 1, ...
        where: what messages begin with, such as the path of a file and a colon.

    Raises:
        InputError: shapes, names or kinds do not fit, or a value is missing, not finite or of another type.
    """
    named = _named_columns(factors)
    if named is None:
        table = as_array(f"{where}factors", factors)
        table = table[:, np.newaxis] if table.ndim == 1 else table
        shape = table.shape
        named = [
            (f"factor {k}", column) for k, column in enumerate(table.T if len(shape) == 2 else ())
        ]
        labels = [f"{where}factors[:, {k}]" for k in range(len(named))]
    else:
        labels = [f"{where}factors[{name!r}]" for name, _ in named]
        arrays = [as_array(label, column) for label, (_, column) in zip(labels, named, strict=True)]
        lengths = [len(np.atleast_1d(array)) for array in arrays]
        shape = (next((n for n in lengths if n != points), points), len(named))
    if len(shape) != 2 or shape[0] != points or 0 in shape:
        swapped = " Is it transposed?" if shape[1:] == (points,) else ""
        raise InputError(
            f"{where}expected factors of shape [points, factors], here [{points}, any]; found {shape}. Row i "
            f"must be of point i.{swapped}"
        )
    given = [column for _, column in named]
    columns = [factor_column(*pair) for pair in zip(given, labels, strict=True)]
    for (name, _), column in zip(named, columns, strict=True):
        if name == "index" and np.array_equal(column, np.arange(points)):
            raise InputError(
                f"{where}the field 'index' of factors counts the points, which is no factor. Leave it out, as "
                "in data_frame.to_records(index=False)."
            )
    all_kinds = _entries(kinds)
    if all_kinds is None:
        all_kinds = [_default_kind(*pair) for pair in zip(given, columns, strict=True)]
    elif len(all_kinds) == 1:
        all_kinds *= len(columns)
    all_names = _entries(names) or [str(name) for name, _ in named]
    _check_entries(where, all_kinds, all_names, len(columns))
    for k, kind in enumerate(all_kinds):
        if kind == "continuous":
            columns[k] = _numbers(columns[k], labels[k])
    return FactorTable(columns, all_names, all_kinds)


def _named_columns(factors: object) -> list[tuple[str, object]] | None:
    """Names and columns of a data frame, a dict or a structured array; None for anything else."""
    if hasattr(factors, "to_frame"):  # one column of either
        factors = factors.to_frame()
    if hasattr(factors, "iter_columns"):  # polars
        return [(column.name, column) for column in factors.iter_columns()]
    if hasattr(factors, "items") and hasattr(factors, "keys"):  # pandas
        return list(factors.items())
    if isinstance(factors, np.ndarray) and factors.dtype.names:
        return [(name, factors[name]) for name in factors.dtype.names]
    return None


def _entries(given: str | Sequence[str] | None) -> list[str] | None:
    return None if given is None else [str(entry) for entry in np.ravel(given)]


def _default_kind(given: object, column: np.ndarray) -> str:
    kind = str(getattr(given, "dtype", "")).lower()
    categories = kind.startswith(("categor", "enum"))  # of pandas and polars
    return "continuous" if column.dtype.kind == "f" and not categories else "categorical"


def _check_entries(where: str, kinds: list[str], names: list[str], number: int) -> None:
    for argument, entries in (("factor_kinds", kinds), ("factor_names", names)):
        if len(entries) != number:
            one = ", or one for all" if argument == "factor_kinds" else ""
            raise InputError(
                f"{where}{argument} has {len(entries)} entries for {number} factors "
                f"({', '.join(entries)}); give one for each{one}."
            )
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(
                f"{where}factor_kinds has {kind!r}; known are {', '.join(KINDS)}. Take continuous for numbers on "
                "a scale, also where they are few, and categorical for names and other values without an order."
            )
    if len(set(names)) < number:
        raise InputError(f"{where}a name is twice in factor_names ({', '.join(names)}).")


def _numbers(column: np.ndarray, name: str) -> np.ndarray:
    """A continuous factor: numbers as they are, and texts as the numbers that they state."""
    if is_number(column):
        return column
    try:
        if column.dtype.kind not in "US":
            raise ValueError(f"the type {column.dtype}")
        return factor_column(column.astype(np.float64), name)
    except ValueError as error:
        raise InputError(
            f"{name} cannot be continuous: a value of it is no number ({error}). A factor of names or dates "
            "is categorical."
        ) from error


def factor_column(values: object, name: str) -> np.ndarray:
    """The values of a factor: an array [points] of real numbers, booleans, strings or dates.

    Raises:
        InputError: they have another shape or type, are of mixed types, or one is not finite (NaN, an
            infinity, NaT); names them as `name`, such as "factors[:, 2]".
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
