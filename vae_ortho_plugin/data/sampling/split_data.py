# SPDX-License-Identifier: Apache-2.0
"""Data sets held in memory and split into training, validation and test points."""

from typing import ClassVar

import numpy as np
from disentanglement_lib.data.ground_truth import ground_truth_data

from vae_ortho_plugin.data.sampling.factor_table import factor_column
from vae_ortho_plugin.errors import InputError

SPLITS = ("train", "validation", "test")


class SplitGroundTruthData(ground_truth_data.GroundTruthData):
    """A dlib data set in memory: 80 % training, 10 % validation and 10 % test points.

    dlib's sampling methods draw training points, with replacement. Subclasses with generating factors
    override the methods that use factors.

    Attributes:
        factor_names: one name per generating factor.
        factor_kinds: 'continuous' or 'categorical' per factor.
        factors_num_values: numbers of the classes of the factors that dlib sees.
        observation_shape: [height, width, channels].
    """

    factor_names: ClassVar[list[str]] = []
    factor_kinds: ClassVar[list[str]] = []
    factors_num_values: ClassVar[list[int]] = []

    def __init__(
        self,
        observations: np.ndarray,
        factors: np.ndarray | None = None,
        scale: float = 1.0,
        sizes: tuple[int, int, int] | None = None,
    ):
        """Splits the points in their order; the caller has shuffled them.

        Args:
            observations: [n, height, width, channels], uint8 or float32; it is not copied.
            factors: [n, num_factors]; None for data without factors.
            scale: factor from stored values to observations.
            sizes: numbers of training, validation and test points; None for 80 %, 10 %, 10 %.

        Raises:
            InputError: too few points, or factors that are not finite.
        """
        num_points = len(observations)
        if sizes is None and num_points < 10:
            raise InputError(
                f"{num_points} points cannot be split into 80 % training, 10 % validation and "
                "10 % test points; at least 10 are needed."
            )
        train, validation, *_ = sizes or (num_points * 8 // 10, num_points // 10)
        bounds = [0, train, train + validation, num_points]
        self._slices = {name: slice(*bounds[i : i + 2]) for i, name in enumerate(SPLITS)}
        self._observations = observations
        self._factors = np.zeros((num_points, 0)) if factors is None else factors
        for k, column in enumerate(self._factors.T):
            factor_column(column, f"{type(self).__name__}: factors[:, {k}]")
        self._scale = scale

    @property
    def num_factors(self) -> int:
        return len(self.factor_names)

    @property
    def observation_shape(self) -> list[int]:
        return list(self._observations.shape[1:])

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Observations float32 [n, *observation_shape] and factors float64 [n, num_factors].

        Args:
            name: 'train', 'validation' or 'test'.

        Raises:
            InputError: there is no such split.
        """
        points = self._points(name)
        return self._scaled(self._observations[points]), self._factors[points].copy()

    def resident_observations(self) -> tuple[np.ndarray, float]:
        """Training points as stored, [n, *observation_shape], and the factor `scale`."""
        return self._observations[self._slices["train"]], self._scale

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._dlib_factors(self._draw(num, random_state))

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        return self.sample_observations(len(factors), random_state)

    def sample(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        drawn = self._draw(num, random_state)
        return self._dlib_factors(drawn), self._scaled(self._observations[drawn])

    def _dlib_factors(self, indices: np.ndarray) -> np.ndarray:
        """The factors of the points `indices` in the form that dlib's metrics expect."""
        return self._factors[indices]

    def _draw(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return random_state.randint(self._slices["train"].stop, size=num)

    def _points(self, name: str) -> slice:
        if name not in self._slices:
            raise InputError(f"There is no split {name!r}; the splits are {', '.join(SPLITS)}.")
        return self._slices[name]

    def _scaled(self, observations: np.ndarray) -> np.ndarray:
        return observations.astype(np.float32) * np.float32(self._scale)
