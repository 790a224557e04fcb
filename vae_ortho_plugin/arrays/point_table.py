# SPDX-License-Identifier: Apache-2.0
"""A data set of dlib whose points are the rows of a table; its observations are their numbers."""

import functools

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.binning import Binning, PointsByClass
from vae_ortho_plugin.data.sampling.factor_table import FactorTable
from vae_ortho_plugin.errors import InputError


class PointTable(GroundTruthData):
    """Points with their factors, without images.

    Points are drawn without replacement until all have been drawn, so that the training and the test
    points of a metric differ. Factors of many numbers are steps of a scale towards dlib (`Binning`); `binning`
    says in words how dlib's metrics see each factor.
    """

    num_factors = factors_num_values = observation_shape = None  # in place of dlib's properties

    def __init__(self, factors: FactorTable, points: int):
        columns = factors.columns
        self.factor_names, self.factor_kinds = factors.names, factors.kinds
        binning = Binning(columns, factors.kinds)
        self.num_factors, self.factors_num_values = len(columns), binning.num_values
        self.observation_shape = []
        self.binning = binning.descriptions()
        self._values, self._classes = np.zeros((points, 0)), np.zeros((points, 0), np.int64)
        if columns:
            self._values, self._classes = binning.numbers(columns), binning.classes(columns)
        self._undrawn = np.arange(0)

    def has_all_combinations(self) -> bool:
        """Whether each combination of the factors' classes is that of a point."""
        present = len(np.unique(self._classes, axis=0))
        return present == np.prod(self.factors_num_values, dtype=float)

    def check_classes(self, sizes: list[int], random_state: np.random.RandomState) -> None:
        """Raises InputError unless each class of each factor is in the samples of these sizes that a metric draws first.

        `random_state` is one like the metric's, with the same seed.
        """
        order = random_state.permutation(len(self._classes))[: sum(sizes)]
        for drawn in np.split(self._classes[order], np.cumsum(sizes)[:-1]):
            for name, column, number in zip(
                self.factor_names, drawn.T, self.factors_num_values, strict=True
            ):
                found = len(np.unique(column))
                if found < number:
                    raise InputError(
                        f"{number - found} of the {number} classes of {name!r} are not among the "
                        f"{len(drawn):,} points of the training or the test set, which both need all. "
                        "Take more points, or leave out rare classes."
                    )

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._classes[random_state.randint(len(self._classes), size=num)]

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Numbers [num] of points drawn from those with these class numbers [num, factors]; InputError without any."""
        if not self._by_combination.has(factors).all():
            raise InputError(
                "no point has the classes that this metric asks for of the factors "
                f"{', '.join(self.factor_names)}"
            )
        return self._by_combination.draw(factors, random_state)

    @functools.cached_property
    def _by_combination(self) -> PointsByClass:
        return PointsByClass(self._classes)

    def sample(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        drawn = self._draw(num, random_state)
        return self._classes[drawn], drawn

    def sample_unbinned(
        self, num: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Factors as the table has them, class numbers for names, and numbers of points."""
        drawn = self._draw(num, random_state)
        return self._values[drawn], drawn

    def sample_observations(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        return self._draw(num, random_state)

    def _draw(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        """Numbers of points that were not drawn before, or of all in a new order."""
        while len(self._undrawn) < num:
            again = random_state.permutation(len(self._values))
            self._undrawn = np.concatenate([self._undrawn, again])
        drawn, self._undrawn = np.split(self._undrawn, [num])
        return drawn


class MatchedTable(PointTable):
    """A table without all combinations, for metrics that keep one factor and let all others vary.

    dlib draws factors, sets one column of them, and asks for observations. Here these are points that
    have the class of that column; their other factors are as they occur with it in the table.
    """

    def __init__(self, factors: FactorTable, points: int):
        super().__init__(factors, points)
        self._by_class = [PointsByClass(classes[:, np.newaxis]) for classes in self._classes.T]
        self._handed_out: list[tuple[np.ndarray, np.ndarray]] = []

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        points = random_state.randint(len(self._classes), size=num)
        # dlib draws at most two tables before it asks for the observations of both.
        self._handed_out = [(self._classes[points], points), *self._handed_out[:1]]
        return self._classes[points]

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Numbers [num] of points with the classes of the column of [num, factors] that dlib set."""
        changes = [
            (np.flatnonzero((factors != drawn).any(axis=0)), points)
            for drawn, points in self._handed_out
            if drawn.shape == factors.shape
        ]
        # Of tables that differ in one column, the newest: dlib sets a column of that.
        columns, points = min(changes, key=lambda change: len(change[0]))
        if not len(columns):
            return points
        (kept,) = columns
        return self._by_class[kept].draw(factors[:, [kept]], random_state)
