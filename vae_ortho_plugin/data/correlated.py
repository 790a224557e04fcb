# SPDX-License-Identifier: Apache-2.0
"""dataset.name = 'correlated': another data set with two factors correlated or a corner held out."""

from collections.abc import Sequence

import gin
import numpy as np
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.files.read_files import note_origin, origin
from vae_ortho_plugin.data.own_data import arranged, split_order
from vae_ortho_plugin.data.sampling.binning import PointsByClass
from vae_ortho_plugin.data.sampling.factor_kinds import lacks, named_kinds
from vae_ortho_plugin.data.sampling.resident import numbered_images
from vae_ortho_plugin.data.sampling.split_data import SPLITS, SplitGroundTruthData
from vae_ortho_plugin.data.synthetic import check_pair, correlated, outside_corner
from vae_ortho_plugin.errors import InputError, check_whole, did_you_mean

_BLOCK = 1024


@gin.configurable("correlated")
class CorrelatedData(SplitGroundTruthData):
    """Points of another data set, drawn so that two of its factors depend on each other.

    The two factors are uniform on their values, with a Gaussian copula (`correlated`), and a corner
    of their square is left out; the k-th of n values has the place k/n. The other factors are as in
    the data set. The points are in memory: training, dlib's sampling and the splits use the same ones.

    A data set that renders all combinations of its factors (dlib's, one of your own code) is sampled.
    Its combinations are divided into 80 % for training, 10 % for validation and 10 % for test, so
    that no combination is in two splits. Of one that has splits of its own (npz, the synthetic ones),
    each split is sampled from its own points, as many as it has: with replacement if the factors are
    correlated; a pair of values that no point of the split has is left out.
    """

    def __init__(
        self,
        dataset: str | GroundTruthData = gin.REQUIRED,
        factors: Sequence[str] = gin.REQUIRED,
        correlation: float = 0.0,
        held_out: float | None = None,
        num_points: int = 100_000,
        seed: int = 0,
    ):
        """Makes the other data set and draws its points.

        Args:
            dataset: its name, or a reference such as @my_data().
            factors: names of two of its factors.
            correlation: ρ of their copula, between -1 and 1.
            held_out: c, between 0 and 1: points whose two factors both have a place >= c are left out.
            num_points: points that are drawn of a data set without splits, for all splits together.
            seed: of the drawing.

        Raises:
            InputError: the data set lacks a factor or cannot be read, or a number is out of range.
        """
        check_pair(correlation, held_out)
        check_whole("num_points", num_points, at_least=10)
        check_whole("seed", seed)
        if dataset in ("auto", "correlated"):
            raise InputError(
                f"correlated.dataset = {dataset!r}; it must be the name of another data set."
            )
        self._data = data = named_data.get_named_ground_truth_data(dataset)
        # The results of rendered data, or of other files than the published ones, say so here, too.
        note_origin("correlated", origin(dataset) if isinstance(dataset, str) else None)
        kinds = named_kinds(data, "correlation of them")
        self.factor_names, self.factor_kinds = list(kinds), list(kinds.values())
        self._pair = _pair(factors, self.factor_names)
        known = not lacks(data, "factors_num_values")
        self.factors_num_values = sizes = list(data.factors_num_values) if known else []
        if len(sizes) != len(kinds):
            raise InputError(
                f"correlated.dataset = {dataset!r}: its factors_num_values must say how many values each "
                f"of its {len(kinds)} factors has; it has {len(sizes)} entries."
            )
        self._sizes = np.array(sizes)[self._pair]
        self._correlation, self._held_out = correlation, held_out
        random_state = np.random.RandomState(seed)
        if isinstance(data, SplitGroundTruthData):
            self._resample(data, random_state)
        else:
            self._generate(data, num_points, random_state, seed)

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """As of the other data set: a metric that sets a factor may ask for what is held out."""
        return self._data.sample_observations_from_factors(factors, random_state)

    def _dlib_factors(self, indices: np.ndarray) -> np.ndarray:
        return self._classes[indices]

    def _drawn(self, num: int, random_state: np.random.RandomState) -> np.ndarray:
        """Class numbers [num, 2] of the pair."""
        places = correlated(random_state.random_sample((num, 2)), self._correlation)
        return np.floor(places * self._sizes).astype(np.int64)

    def _generate(self, data, num_points, random_state, seed) -> None:
        pairs = self._drawn(num_points, random_state)
        pairs = pairs[outside_corner(pairs / self._sizes, self._held_out)]
        classes = np.array(data.sample_factors(len(pairs), random_state), np.int64)
        classes[:, self._pair] = pairs
        different, combination = np.unique(classes, axis=0, return_inverse=True)
        share = random_state.permutation(len(different))[combination.ravel()] / len(different)
        order, sizes = split_order(np.digitize(share, [0.8, 0.9]), len(classes), seed)
        self._classes = classes[order]
        images = numbered_images(data)
        if images is None:
            blocks = [
                data.sample_observations_from_factors(block, random_state).astype(np.float32)
                for block in np.split(self._classes, range(_BLOCK, len(order), _BLOCK))
            ]
            observations, scale = np.concatenate(blocks), 1.0
        else:
            rows = images.numbers(self._classes, random_state)
            observations, scale = arranged(images.stored, rows), images.scale
        observations = observations.reshape(-1, *data.observation_shape)
        super().__init__(observations, self._classes.astype(np.float64), scale, sizes)

    def _resample(self, data, random_state) -> None:
        classes = data._dlib_factors(np.arange(len(data._observations))).astype(np.int64)
        pairs = classes[:, self._pair]
        left = outside_corner(pairs / self._sizes, self._held_out)
        chosen = []
        for name in SPLITS:
            split = data._slices[name]
            points = left[(left >= split.start) & (left < split.stop)]
            if self._correlation:
                there = PointsByClass(pairs[points])
                wanted = self._drawn(split.stop - split.start, random_state)
                points = points[there.draw(wanted[there.has(wanted)], random_state)]
            chosen.append(points)
        sizes = tuple(map(len, chosen))
        if not sizes[0]:
            given = {"correlation": self._correlation, "held_out": self._held_out}
            named = [f"correlated.{name} = {value}" for name, value in given.items() if value]
            raise InputError(
                f"{' and '.join(named)} leave no training points: take a smaller value."
            )
        order = np.concatenate(chosen)
        self._classes = classes[order]
        observations = arranged(data._observations, order)
        super().__init__(observations, data._factors[order], data._scale, sizes)


def _pair(factors: Sequence[str], known: list[str]) -> list[int]:
    """The columns of two factors."""
    names = list(factors) if isinstance(factors, (list, tuple)) else [factors]
    for name in names:
        if name not in known:
            meant = did_you_mean(str(name), known)
            raise InputError(
                f"correlated.factors has {name!r}, which the data set lacks.{meant} Its factors are "
                f"{', '.join(known)}."
            )
    if len(names) != 2 or len(set(names)) != 2:
        raise InputError(
            f"correlated.factors = {factors!r}; it must be the names of two different factors of "
            f"{', '.join(known)}."
        )
    return [known.index(name) for name in names]
