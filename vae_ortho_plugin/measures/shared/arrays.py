# SPDX-License-Identifier: Apache-2.0
"""Arguments as NumPy arrays of real numbers, checked before anything is computed or broadcast.

Each function takes nested lists, NumPy arrays, PyTorch tensors (of any device, also those that require a
gradient), JAX arrays and TensorFlow's eager tensors, and raises InputError, with the argument's name, for others.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError

Floats = NDArray[np.float64]

# The square of a larger number is close to the end of float64's range.
LARGEST = 1e150


def as_array(name: str, values: object) -> NDArray[Any]:
    """The values as an array of any type, without a copy where they are one already; masked ones are refused."""
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
    """The values as an array of real numbers of their own type; booleans, as 0 and 1, where they are asked for."""
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


def float_array(name: str, values: ArrayLike, booleans: bool = False) -> Floats:
    """As `real_array`, in float64 and finite: no value is larger than LARGEST."""
    array = real_array(name, values, booleans)
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float64, copy=False)
    check_finite(name, numbers)
    return numbers


def check_finite(name: str, array: Floats) -> None:
    """Raises InputError for the first value that is not finite, or larger than LARGEST."""
    allowed = np.abs(array) <= LARGEST  # false for NaN
    if not allowed.all():
        value = array[index := _first(~allowed)]
        if np.isfinite(value):
            problem = f"which is too large; values may be at most {LARGEST:g} in size"
        else:
            problem = "which is not finite; every value must be finite"
        raise InputError(f"{element(name, index)} is {value}, {problem}.")


def check_shape(name: str, array: NDArray[Any], **sizes: int | None) -> None:
    """Raises InputError unless each dimension has the size that is given by its name; None: any but 0."""
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


def latent_table(
    name: str, values: ArrayLike, points: int | None = None, latents: int | None = None
) -> Floats:
    """Values of the shape [points, latents], in float64."""
    numbers = float_array(name, values)
    check_shape(name, numbers, points=points, latents=latents)
    return numbers


def positive_sigma(
    sigma: ArrayLike, points: int | None = None, latents: int | None = None
) -> Floats:
    """Standard deviations [points, latents], in float64."""
    numbers = latent_table("sigma", sigma, points, latents)
    positive = numbers > 0
    if not positive.all():
        index = _first(~positive)
        raise InputError(
            f"sigma must be finite and positive everywhere; {element('sigma', index)} is "
            f"{numbers[index]}. Are these log variances? Then give np.exp(logvar / 2)."
        )
    return numbers


def latent_indices(active: ArrayLike | None, latents: int) -> NDArray[np.intp]:
    """The indices that a measure's argument `active` names: all without it."""
    if active is None:
        return np.arange(latents)
    indices = as_array("active", active)
    if not (
        indices.ndim == 1
        and indices.size
        and indices.dtype.kind in "iu"
        and 0 <= indices.min() <= indices.max() < latents
        and len(np.unique(indices)) == len(indices)
    ):
        raise InputError(
            f"active must have the indices of one or more latents, each once, from 0 to {latents - 1}, as "
            f"active_latents gives them; got {active!r}."
        )
    return indices.astype(np.intp)


def chosen_latents(means: ArrayLike, active: ArrayLike | None) -> tuple[Floats, NDArray[np.intp]]:
    """The means [points, active latents], and the indices of the latents."""
    latents = latent_table("means", means)
    chosen = latent_indices(active, latents.shape[1])
    return latents[:, chosen], chosen


def per_point(name: str, values: ArrayLike, points: int) -> Floats:
    """A number, or one for each point: float64, [] or [points]."""
    numbers = float_array(name, values)
    if numbers.shape not in ((), (points,)):
        raise InputError(
            f"{name} must be a number or have the shape [points], here [{points}]; got "
            f"{numbers.shape}."
        )
    return numbers


def number(name: str, value: ArrayLike, positive: bool = False) -> float:
    """A single finite number."""
    numbers = float_array(name, value)
    if numbers.ndim:
        raise InputError(f"{name} must be one number; got an array of the shape {numbers.shape}.")
    if positive and numbers <= 0:
        raise InputError(f"{name} must be positive; got {numbers}.")
    return float(numbers)


def log_excess(upper: Floats, lower: Floats) -> Floats:
    """upper − lower, at least 0 (rounding may end below); infinite where lower is −inf."""
    excess = np.full_like(upper, np.inf)
    np.subtract(upper, lower, out=excess, where=np.isfinite(lower))
    return np.maximum(excess, 0)


def _first(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.argwhere(mask)[0].tolist())


def element(name: str, index: tuple[int, ...]) -> str:
    """How a message names one element of an argument: name[2, 0]."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
