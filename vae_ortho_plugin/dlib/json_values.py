# SPDX-License-Identifier: Apache-2.0
"""A step's results as values that JSON has.

Whatever a metric returns is saved, so that the work that it took is not lost.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import PurePath

import numpy as np


def json_values(results: Mapping) -> tuple[dict, list[str]]:
    """A step's results as dicts, lists, numbers, strings, booleans and None alone.

    NumPy arrays become lists, sets sorted lists. A number that is not finite becomes None. Where a value
    has an imaginary part, that is an entry of its own: 'name' is the real part and 'name_imaginary' the
    other. A value of any other type becomes its text.

    Args:
        results: from names to what a metric returned; nested in any way.

    Returns:
        The values, and for each one that had to be changed a sentence that says so.
    """
    notes: list[str] = []
    return _mapping(results, "", notes), notes


def _mapping(values: Mapping, prefix: str, notes: list[str]) -> dict:
    result = {}
    for key, value in values.items():
        key = str(key)
        name = f"{prefix}{key}"
        if _is_complex(value):
            imaginary = _part(value, np.imag)
            if _has_nonzero(imaginary):
                result[f"{key}_imaginary"] = _value(imaginary, f"{name}_imaginary", notes)
                notes.append(
                    f"{name} has an imaginary part, which is saved as {name}_imaginary; {name} is the "
                    "real part"
                )
            value = _part(value, np.real)
        result[key] = _value(value, name, notes)
    return result


def _value(value: object, name: str, notes: list[str]) -> object:
    if isinstance(value, Mapping):
        return _mapping(value, f"{name}.", notes)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if isinstance(value, (list, tuple, range)):
        return [_value(entry, f"{name}[{i}]", notes) for i, entry in enumerate(value)]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        notes.append(f"{name} is {value} and is saved as null, because JSON has no such number")
        return None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "__array__"):  # an array of another library, a table
        return _value(np.asarray(value), name, notes)
    notes.append(f"{name} is a {type(value).__name__}, of which the text is saved")
    return str(value)


def _is_complex(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_complex, value))
    return isinstance(value, (complex, np.ndarray, np.generic)) and np.iscomplexobj(value)


def _part(value: object, part: Callable) -> object:
    """The real or the imaginary part of complex numbers; other values are real."""
    if isinstance(value, (list, tuple)):
        return [_part(entry, part) for entry in value]
    if _is_complex(value):
        return part(value)
    return value if part is np.real else 0.0


def _has_nonzero(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_nonzero, value))
    return bool(np.any(value))
