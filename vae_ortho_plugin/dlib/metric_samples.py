# SPDX-License-Identifier: Apache-2.0
"""The samples of dlib's BetaVAE and FactorVAE metrics, coded thousands of points at a time.

dlib draws each of their 15,000 samples, makes its 64 or 128 images and codes them by a session call of
their own. Here the same numbers are drawn in the same order. Of a data set that stores its images, only
the image's number is drawn, and every image is coded once.
"""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.resident import NumberedImages, numbered_images

Representation = Callable[[np.ndarray], np.ndarray]
# Draws the label of a sample and the factors of its groups of points, each [points, num_factors].
Draw = Callable[[], tuple[int, list[np.ndarray]]]
# The label of a sample and the codes of its groups of points, each [points, latents].
Sample = tuple[int, list[np.ndarray]]

_POINTS = 4096
_BYTES = 64 * 2**20
# Samples whose numbers are drawn before their images are coded.
_DRAWN = 1000


class Coder:
    """A representation function of dlib that knows its data set and what it has coded of it.

    Called, it is the function. It lives as long as one metric, which codes training and test samples.
    """

    def __init__(self, data: GroundTruthData, representation: Representation):
        self._data, self._representation = data, representation

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self._representation(observations)

    def samples(
        self, draw: Draw, number: int, random_state: np.random.RandomState
    ) -> Iterator[Sample]:
        """The samples, with the random numbers in dlib's order: a sample's factors, then its images."""
        by = self._by_observations if self._table is None else self._by_number
        return by(draw, number, random_state)

    @functools.cached_property
    def _table(self) -> "_Table | None":
        images = numbered_images(self._data)
        if images is None:
            return None
        first = images.observations(np.arange(min(64, len(images))))
        # A sampled representation codes the same images differently each time.
        repeats = np.array_equal(self(first), self(first))
        return _Table(images, self._representation) if repeats else None

    def _by_number(self, draw, number, random_state) -> Iterator[Sample]:
        table = self._table
        for start in range(0, number, _DRAWN):
            drawn = []
            for _ in range(min(_DRAWN, number - start)):
                label, groups = draw()
                drawn.append(
                    (label, [table.images.numbers(factors, random_state) for factors in groups])
                )
            table.fill(np.concatenate([numbers for _, groups in drawn for numbers in groups]))
            yield from ((label, [table[numbers] for numbers in groups]) for label, groups in drawn)

    def _by_observations(self, draw, number, random_state) -> Iterator[Sample]:
        waiting: list[Sample] = []
        for index in range(number):
            label, groups = draw()
            images = [
                self._data.sample_observations_from_factors(factors, random_state)
                for factors in groups
            ]
            waiting.append((label, images))
            points, size = sum(map(len, images)), sum(group.nbytes for group in images)
            if len(waiting) * points >= _points_of_a_call(size / points) or index == number - 1:
                yield from self._coded(waiting)
                waiting = []

    def _coded(self, samples: list[Sample]) -> Iterator[Sample]:
        groups = [group for _, images in samples for group in images]
        bounds = list(itertools.accumulate(map(len, groups)))[:-1]
        codes = iter(np.split(self(np.concatenate(groups)), bounds))
        for label, images in samples:
            yield label, list(itertools.islice(codes, len(images)))


class _Table:
    """Codes of a data set's images, by number; each is computed when it is first needed.

    Attributes:
        images: of the data set.
    """

    def __init__(self, images: NumberedImages, representation: Representation):
        self.images, self._representation = images, representation
        self._known = np.zeros(len(images), dtype=bool)
        self._codes: np.ndarray | None = None

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """The codes [n, latents] of images that have been filled in."""
        return self._codes[numbers]

    def fill(self, numbers: np.ndarray) -> None:
        """Computes the codes of these images that are not yet known."""
        wanted = np.zeros_like(self._known)
        wanted[numbers] = True
        new = np.flatnonzero(wanted & ~self._known)
        at_a_time = _points_of_a_call(self.images.observations(numbers[:1]).nbytes)
        for start in range(0, len(new), at_a_time):
            part = new[start : start + at_a_time]
            codes = self._representation(self.images.observations(part))
            if self._codes is None:
                self._codes = np.zeros((len(self.images), codes.shape[1]), codes.dtype)
            self._codes[part] = codes
        self._known |= wanted


def _points_of_a_call(point_bytes: float) -> int:
    return max(1, min(_POINTS, int(_BYTES / point_bytes)))


def beta_vae_batch(
    ground_truth_data, representation_function, batch_size, num_points, random_state
):
    """In place of dlib's `beta_vae._generate_training_batch`; arguments and result are the same."""

    def draw() -> tuple[int, list[np.ndarray]]:
        label = random_state.randint(ground_truth_data.num_factors)
        first, second = (
            ground_truth_data.sample_factors(batch_size, random_state) for _ in range(2)
        )
        second[:, label] = first[:, label]
        return label, [first, second]

    samples = _coder(ground_truth_data, representation_function).samples(
        draw, num_points, random_state
    )
    labels, points = np.zeros(num_points, dtype=np.int64), []
    for index, (label, (first, second)) in enumerate(samples):
        labels[index] = label
        points.append(np.mean(np.abs(first - second), axis=0))
    return np.array(points, dtype=np.float64), labels


def factor_vae_batch(
    ground_truth_data,
    representation_function,
    batch_size,
    num_points,
    random_state,
    global_variances,
    active_dims,
):
    """In place of dlib's `factor_vae._generate_training_batch`; arguments and result are the same."""

    def draw() -> tuple[int, list[np.ndarray]]:
        label = random_state.randint(ground_truth_data.num_factors)
        factors = ground_truth_data.sample_factors(batch_size, random_state)
        factors[:, label] = factors[0, label]
        return label, [factors]

    samples = _coder(ground_truth_data, representation_function).samples(
        draw, num_points, random_state
    )
    votes = np.zeros((ground_truth_data.num_factors, len(global_variances)), dtype=np.int64)
    for label, (codes,) in samples:
        variances = np.var(codes, axis=0, ddof=1)[active_dims] / global_variances[active_dims]
        votes[label, np.argmin(variances)] += 1
    return votes


def _coder(data: GroundTruthData, representation: Representation) -> Coder:
    return representation if isinstance(representation, Coder) else Coder(data, representation)
