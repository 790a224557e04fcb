# SPDX-License-Identifier: Apache-2.0
"""Arguments as NumPy arrays of real numbers, checked before anything is computed or broadcast.

A measure takes nested lists, NumPy arrays, PyTorch tensors (of any device, also those that require a
gradient), JAX arrays and TensorFlow's eager tensors. Everything else gets one InputError with the name
of the argument.
"""

import dataclasses
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError

# The square of a larger number is close to the end of float64's range.
LARGEST = 1e150


class ByValue:
    """Base of a dataclass (eq=False) of numbers, arrays and lists: equal where all of its fields are.

    NaN equals NaN. Equal results have the same hash.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ByValue) or type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        assert dataclasses.is_dataclass(self)
        return tuple(_value(getattr(self, field.name)) for field in dataclasses.fields(self))


def _value(field: object) -> object:
    """What stands for a field in a comparison and has a hash."""
    if isinstance(field, (int, float, np.ndarray)):
        numbers = np.asarray(field, np.float64)
        same = np.where(np.isnan(numbers), np.nan, numbers + 0.0)  # one NaN, and no -0.0
        return same.shape, same.tobytes()
    return tuple(field) if isinstance(field, list) else field


def as_array(name: str, values: object) -> NDArray[Any]:
    """The values as an array of any type, without a copy where they are one already.

    Raises:
        InputError: they cannot be converted, or are masked.
    """
    if isinstance(values, np.ma.MaskedArray) and np.any(values.mask):
        raise InputError(f"{name} has masked values: fill them in, or leave out these points.")
    try:
        if callable(getattr(values, "detach", None)):
            # PyTorch converts a tensor of the CPU, without a gradient and of NumPy's types.
            tensor: Any = values.detach().cpu()  # type: ignore[attr-defined]
            values = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} cannot be converted to a NumPy array: {error}") from error
    dtype = array.dtype
    if dtype.kind == "V" and dtype.names is None and np.can_cast(dtype, np.float64):
        return array.astype(np.float32)  # bfloat16, which NumPy's linear algebra does not know
    return array


def real_array(name: str, values: ArrayLike, booleans: bool = False) -> NDArray[Any]:
    """The values as an array of real numbers of their own type.

    Args:
        booleans: accept booleans, as 0 and 1.

    Raises:
        InputError: they cannot be converted, are masked or are no real numbers.
    """
    array = as_array(name, values)
    kind = array.dtype.kind
    if kind in "fiu" or (kind == "b" and booleans):
        return array
    hint = ""
    if kind == "b":
        hint = ". Is this a mask? Select with it instead"
    elif kind == "O" and array.size:
        hint = f", of which one is a {type(array.flat[0]).__name__}"
    raise InputError(f"{name} must be real numbers; got an array of the type {array.dtype}{hint}.")


def float_array(name: str, values: ArrayLike, booleans: bool = False) -> NDArray[np.float64]:
    """The values in float64.

    Args:
        booleans: accept booleans, as 0 and 1.

    Raises:
        InputError: they are no real numbers, or one is not finite or larger than LARGEST.
    """
    array = real_array(name, values, booleans)
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float64, copy=False)
    check_finite(name, numbers)
    return numbers


def check_finite(name: str, array: NDArray[np.float64]) -> None:
    """Raises InputError for the first value that is not finite, or larger than LARGEST."""
    allowed = np.abs(array) <= LARGEST  # false for NaN
    if not allowed.all():
        index = tuple(int(i) for i in np.argwhere(~allowed)[0])
        value = array[index]
        if np.isfinite(value):
            problem = f"which is too large; values may be at most {LARGEST:g} in size"
        else:
            problem = "which is not finite; every value must be finite"
        raise InputError(f"{element(name, index)} is {value}, {problem}.")


def check_shape(name: str, array: NDArray[Any], **sizes: int | None) -> None:
    """Raises InputError unless the array has these dimensions, none of them 0.

    Args:
        **sizes: name and size of each dimension in order; None for any size but 0.
    """
    expected = tuple(sizes.values())
    if (
        array.ndim == len(expected)
        and array.size
        and all(size in (None, found) for size, found in zip(expected, array.shape, strict=True))
    ):
        return
    names = ", ".join(sizes)
    known = "none of them 0"
    if any(expected):
        known = f"here [{', '.join('any' if n is None else str(n) for n in expected)}]"
    raise InputError(f"{name} must have the shape [{names}], {known}; got {array.shape}.")


def per_point(name: str, values: ArrayLike, points: int) -> NDArray[np.float64]:
    """A number, or one for each point: float64, [] or [points].

    Raises:
        InputError: another shape, or a value that is not finite.
    """
    numbers = float_array(name, values)
    if numbers.shape not in ((), (points,)):
        raise InputError(
            f"{name} must be a number or have the shape [points], here [{points}]; got "
            f"{numbers.shape}."
        )
    return numbers


def number(name: str, value: ArrayLike) -> float:
    """A single finite number.

    Raises:
        InputError: it is not one.
    """
    numbers = float_array(name, value)
    if numbers.ndim:
        raise InputError(f"{name} must be one number; got an array of the shape {numbers.shape}.")
    return float(numbers)


def whole_number(name: str, value: int, at_least: int) -> int:
    """A whole number.

    Raises:
        InputError: it is not one, or less than `at_least`.
    """
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool):
        raise InputError(f"{name} must be a whole number; got {value!r}.")
    if whole < at_least:
        raise InputError(f"{name} must be at least {at_least}; got {whole}.")
    return whole


def element(name: str, index: tuple[int, ...]) -> str:
    """How a message names one element of an argument: name[2, 0]."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
