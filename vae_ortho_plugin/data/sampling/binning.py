# SPDX-License-Identifier: Apache-2.0
"""Factors on a scale as the class numbers that dlib's metrics and pictures need."""

from collections.abc import Iterable, Sequence

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.factor_kinds import lacks, named_kinds
from vae_ortho_plugin.data.sampling.factor_table import factor_column, is_number
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import as_array

# As many as dlib's discretizer has bins.
NUM_STEPS = 20
_SAMPLE = 10_000


class Binning:
    """Classes of the columns of a table of factors.

    A column of at most NUM_STEPS different values, of names or of dates has a class for each value. A
    longer column of numbers has NUM_STEPS steps of equal width between its least and largest one.

    Args:
        columns: [points] for each factor, as `factor_column` returns it.
        kinds: "categorical" for a column of names, whatever they look like.

    Attributes:
        num_values: number of classes of each column.
    """

    def __init__(self, columns: Sequence[np.ndarray], kinds: Iterable[str]):
        self._values = [np.unique(column) for column in columns]
        self._categorical = categorical = [kind == "categorical" for kind in kinds]
        self._binned = [
            len(values) > NUM_STEPS and is_number(values) and not names
            for values, names in zip(self._values, categorical, strict=True)
        ]
        self.num_values = [
            NUM_STEPS if binned else len(values)
            for values, binned in zip(self._values, self._binned, strict=True)
        ]

    def descriptions(self) -> list[str]:
        """What the classes of each column are, as a result states it."""
        return [
            f"{NUM_STEPS} steps of equal width from {values[0]:g} to {values[-1]:g}"
            if binned
            else f"{len(values)} classes, one for each value"
            for values, binned in zip(self._values, self._binned, strict=True)
        ]

    def classes(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Class numbers int64 [points, factors] of the columns of factors."""
        result = []
        for column, values, binned in zip(columns, self._values, self._binned, strict=True):
            if binned:
                least, largest = values[0], values[-1]
                share = _above(np.clip(column, least, largest), least) / _above(largest, least)
                classes = (share * NUM_STEPS).astype(np.int64)
                result.append(np.minimum(classes, NUM_STEPS - 1))
            else:
                result.append(np.minimum(np.searchsorted(values, column), len(values) - 1))
        return np.stack(result, axis=1)

    def numbers(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """float64 [points, factors]: the values of the columns, and class numbers of names."""
        classes = self.classes(columns)
        numbers = [
            classes[:, k] if names else columns[k] for k, names in enumerate(self._categorical)
        ]
        return np.stack([column.astype(np.float64) for column in numbers], axis=1)

    def draw(self, classes: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """Factors [points, factors] of class numbers; within a step they are uniformly drawn."""
        columns = []
        for k, (values, binned) in enumerate(zip(self._values, self._binned, strict=True)):
            if binned:
                share = (classes[:, k] + random_state.random_sample(len(classes))) / NUM_STEPS
                columns.append(float(values[0]) + share * _above(values[-1], values[0]))
            else:
                columns.append(values[classes[:, k]])
        mixed = len({is_number(column) or column.dtype.kind for column in columns}) > 1
        return np.stack([column.astype(object) for column in columns] if mixed else columns, axis=1)


def _above(values: np.ndarray, least: np.generic) -> np.ndarray:
    """values - least in float64, where no difference of narrow integers or floats overflows."""
    if values.dtype.kind in "iu":
        # Modulo 2^64, which is exact: no value is less than the least one.
        return (values.astype(np.uint64) - least.astype(np.uint64)).astype(np.float64)
    return values.astype(np.float64) - np.float64(least)


class PointsByClass:
    """Finds points by their class numbers [points, factors], however many combinations there could be."""

    def __init__(self, classes: np.ndarray):
        keys = _keys(classes)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def has(self, wanted: np.ndarray) -> np.ndarray:
        """Whether there is a point with each of the wanted rows [n, factors]: boolean [n]."""
        first, last = self._range(wanted)
        return first < last

    def draw(self, wanted: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """For each wanted row [n, factors], which is there, a random one of the points that have it."""
        first, last = self._range(wanted)
        share = random_state.random_sample(len(wanted))
        return self._order[first + (share * (last - first)).astype(int)]

    def _range(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = _keys(np.asarray(wanted))
        return np.searchsorted(self._keys, keys, "left"), np.searchsorted(self._keys, keys, "right")


def _keys(classes: np.ndarray) -> np.ndarray:
    """The bytes of each row; one number for each combination would overflow with many factors."""
    rows = np.ascontiguousarray(classes, np.int64)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0]


class _OwnData:
    """A user's data set as dlib calls it: its factors are checked, and numbers on a scale are class numbers.

    `sample_unbinned` gives the factors as the data set has them; all else is the data set's own.
    """

    def __init__(self, data: GroundTruthData, name: str, on_a_scale: bool):
        self._data = self.written_by_user = data
        self._name, self._binning = name, None
        self.observation_shape = list(data.observation_shape)  # dlib adds it to lists
        if on_a_scale:
            columns = self._columns(data.sample_factors(_SAMPLE, np.random.RandomState(0)))
            named = hasattr(data, "factor_kinds")
            kinds = named_kinds(data).values() if named else ["continuous"] * len(columns)
            self._binning = Binning(columns, kinds)

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._data, name)

    @property
    def factors_num_values(self) -> list[int]:
        return self._binning.num_values if self._binning else list(self._data.factors_num_values)

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._classes(self._data.sample_factors(num, random_state))

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Observations of class numbers, or of floating-point factors as they are."""
        factors = np.asarray(factors)
        if self._binning and np.issubdtype(factors.dtype, np.integer):
            factors = self._binning.draw(factors, random_state)
        return self._data.sample_observations_from_factors(factors, random_state)

    def sample(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        factors, observations = self._data.sample(num, random_state)
        return self._classes(factors), observations

    def sample_unbinned(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        factors, observations = self._data.sample(num, random_state)
        self._columns(factors)
        return np.asarray(factors), observations

    def _classes(self, factors: object) -> np.ndarray:
        columns = self._columns(factors)
        return self._binning.classes(columns) if self._binning else np.asarray(factors)

    def _columns(self, factors: object) -> list[np.ndarray]:
        """The factors of the data set, a column each."""
        if not self.num_factors:
            return []
        where = f"The data set {self._name}: factors"
        table = as_array(where, factors)
        if table.ndim != 2 or table.shape[1] != self.num_factors:
            raise InputError(
                f"{where} have the shape {table.shape} and the type {table.dtype}; its num_factors asks for "
                f"an array of the shape [points, {self.num_factors}]."
            )
        return [factor_column(column, f"{where}[:, {k}]") for k, column in enumerate(table.T)]


def as_dlib_needs(data: object, name: str) -> GroundTruthData:
    """What a user's function returned as the data set `name`, with class numbers for factors.

    Raises:
        InputError: it lacks what dlib's GroundTruthData has, or its factors are no table of numbers,
            booleans, strings or dates, or one is not finite.
    """
    needed = ("num_factors", "observation_shape", "sample", "sample_observations")
    if missing := [attribute for attribute in needed if lacks(data, attribute)]:
        raise InputError(
            f"The data set {name} is a {type(data).__name__} without {', '.join(missing)}. Derive "
            "its class from disentanglement_lib.data.ground_truth.ground_truth_data.GroundTruthData."
        )
    if isinstance(data, SplitGroundTruthData):
        return data
    where, random_state = f"The data set {name}: factors", np.random.RandomState(0)
    classes = (
        not data.num_factors
        or as_array(where, data.sample_factors(2, random_state)).dtype.kind in "iu"
    )
    if classes and isinstance(data.observation_shape, list):
        return data
    return _OwnData(data, name, on_a_scale=not classes and not hasattr(data, "split"))
