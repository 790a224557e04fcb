# SPDX-License-Identifier: Apache-2.0
"""What the results of the measures have in common."""

import dataclasses
from typing import Any

import numpy as np

from vae_ortho_plugin.measures.shared.arrays import Floats


class Result:
    """Base of the results, frozen dataclasses (eq=False, repr=False) of numbers, arrays and lists.

    Results are equal, and have the same hash, where all of their fields are. NaN equals NaN.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result) or type(other) is not type(self):
            return NotImplemented
        return self._comparable() == other._comparable()

    def __hash__(self) -> int:
        return hash(self._comparable())

    def __repr__(self) -> str:
        fields = [f"{name}={_printed(value)}" for name, value in self._fields().items()]
        return f"{type(self).__name__}({', '.join(fields)})"

    def _fields(self) -> dict[str, Any]:
        assert dataclasses.is_dataclass(self)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def _comparable(self) -> tuple[object, ...]:
        return tuple(map(_comparable, self._fields().values()))


def _comparable(field: object) -> object:
    """What stands for a field in a comparison and has a hash."""
    if isinstance(field, (int, float, np.ndarray)):
        numbers = np.asarray(field, np.float64)
        same = np.where(np.isnan(numbers), np.nan, numbers + 0.0)  # one NaN, and no -0.0
        return same.shape, same.tobytes()
    return tuple(field) if isinstance(field, list) else field


def _printed(field: object) -> str:
    if not isinstance(field, np.ndarray):
        return repr(field)
    if field.size > 10:
        return f"<array of the shape {field.shape}>"
    return np.array2string(field, separator=", ", precision=6).replace("\n", "")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OverPoints(Result):
    """A measure that has a value at each point.

    Attributes:
        per_point: [points].
        mean: of per_point.
        std: standard deviation of per_point, taken as the whole population (ddof = 0), so that it is
            defined for one point. NaN where a value is infinite.
        stderr: std / sqrt(points).
    """

    per_point: Floats
    mean: float = dataclasses.field(init=False)
    std: float = dataclasses.field(init=False)
    stderr: float = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        with np.errstate(invalid="ignore"):
            mean, std = float(np.mean(self.per_point)), float(np.std(self.per_point))
        stderr = std / float(np.sqrt(len(self.per_point)))
        for name, value in (("mean", mean), ("std", std), ("stderr", stderr)):
            object.__setattr__(self, name, value)
