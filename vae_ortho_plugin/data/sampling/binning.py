# SPDX-License-Identifier: Apache-2.0
"""Factors on a scale as the class numbers that dlib's metrics and pictures need."""

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.errors import InputError

# As many as dlib's discretizer has bins.
NUM_STEPS = 20
_SAMPLE = 10_000


class Binning:
    """Classes of the columns of a table of factors.

    A column of at most NUM_STEPS different values, or of names, has a class for each value. A
    longer column of numbers has NUM_STEPS steps of equal width between its least and largest one.

    Attributes:
        num_values: number of classes of each column.
    """

    def __init__(self, factors: np.ndarray, categorical: list[bool]):
        """Finds the classes.

        Args:
            factors: [points, factors], numbers or strings.
            categorical: which columns hold names, whatever they look like.
        """
        self._values = [np.unique(column) for column in factors.T]
        self._binned = [
            len(values) > NUM_STEPS and not names
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

    def classes(self, factors: np.ndarray) -> np.ndarray:
        """Class numbers int64 [points, factors] of factors [points, factors]."""
        result = np.empty(factors.shape, np.int64)
        for k, (values, binned) in enumerate(zip(self._values, self._binned, strict=True)):
            if binned:
                share = (factors[:, k] - values[0]) / (values[-1] - values[0])
                result[:, k] = np.clip((share * NUM_STEPS).astype(np.int64), 0, NUM_STEPS - 1)
            else:
                result[:, k] = np.clip(np.searchsorted(values, factors[:, k]), 0, len(values) - 1)
        return result

    def draw(self, classes: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """Factors [points, factors] of class numbers; within a step they are uniformly drawn."""
        columns = []
        for k, (values, binned) in enumerate(zip(self._values, self._binned, strict=True)):
            if binned:
                share = (classes[:, k] + random_state.random_sample(len(classes))) / NUM_STEPS
                columns.append(values[0] + share * (values[-1] - values[0]))
            else:
                columns.append(values[classes[:, k]])
        return np.stack(columns, axis=1)


class _OwnData(GroundTruthData):
    """A user's data set as dlib calls it; everything else is the data set's own."""

    def __init__(self, data: GroundTruthData):
        self._data = data

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._data, name)

    @property
    def num_factors(self) -> int:
        return self._data.num_factors

    @property
    def factors_num_values(self) -> list[int]:
        return list(self._data.factors_num_values)

    @property
    def observation_shape(self) -> list[int]:
        return list(self._data.observation_shape)

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._data.sample_factors(num, random_state)

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        return self._data.sample_observations_from_factors(factors, random_state)

    def sample(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._data.sample(num, random_state)

    def sample_observations(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._data.sample_observations(num, random_state)


class BinnedFactors(_OwnData):
    """A user's data set whose factors are numbers on a scale.

    Towards dlib its factors are class numbers; `sample_unbinned` gives the numbers.
    """

    def __init__(self, data: GroundTruthData):
        super().__init__(data)
        sample = np.asarray(data.sample_factors(_SAMPLE, np.random.RandomState(0)))
        kinds = getattr(data, "factor_kinds", ["continuous"] * sample.shape[1])
        self._binning = Binning(sample, [kind == "categorical" for kind in kinds])

    @property
    def factors_num_values(self) -> list[int]:
        return self._binning.num_values

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._binning.classes(np.asarray(super().sample_factors(num, random_state)))

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Observations of class numbers, or of floating-point factors as they are."""
        factors = np.asarray(factors)
        if np.issubdtype(factors.dtype, np.integer):
            factors = self._binning.draw(factors, random_state)
        return super().sample_observations_from_factors(factors, random_state)

    def sample(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        factors, observations = super().sample(num, random_state)
        return self._binning.classes(np.asarray(factors)), observations

    def sample_unbinned(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Factors as the data set has them, and their observations."""
        return super().sample(num, random_state)


def as_dlib_needs(data: object, name: str) -> GroundTruthData:
    """A user's data set, with class numbers for factors.

    Args:
        data: what the user's function returned.
        name: of the data set, for the error message.

    Raises:
        InputError: it lacks what dlib's GroundTruthData has.
    """
    missing = [
        attribute
        for attribute in ("num_factors", "observation_shape", "sample", "sample_observations")
        if not hasattr(data, attribute)
    ]
    if missing:
        raise InputError(
            f"The data set {name} is a {type(data).__name__} without {', '.join(missing)}. Derive "
            "its class from disentanglement_lib.data.ground_truth.ground_truth_data.GroundTruthData."
        )
    if isinstance(data, SplitGroundTruthData):
        return data
    if data.num_factors and not hasattr(data, "split"):
        factors = np.asarray(data.sample_factors(2, np.random.RandomState(0)))
        if not np.issubdtype(factors.dtype, np.integer):
            return BinnedFactors(data)
    # dlib adds the shape to lists.
    return data if isinstance(data.observation_shape, list) else _OwnData(data)
