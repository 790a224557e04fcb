# SPDX-License-Identifier: Apache-2.0
"""The samples of dlib's BetaVAE and FactorVAE metrics, encoded thousands of points at a time.

dlib draws each of their 15,000 samples, makes its 64 or 128 images and encodes them by a session
call of their own. Here the same numbers are drawn in the same order. Of a data set that stores its
images, only the image's number is drawn, and every image is encoded once.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.resident import NumberedImages, numbered_images

Representation = Callable[[np.ndarray], np.ndarray]
# A label, and an array for each of a sample's groups of points: factors, images or their numbers, latents.
Sample = tuple[int, list[np.ndarray]]

_POINTS = 4096
_BYTES = 64 * 2**20
# Samples whose numbers are drawn before their images are encoded.
_DRAWN = 1000


class Encoder:
    """A representation function of dlib that knows its data set and what it has encoded of it.

    Called, it is the function. It lives as long as one metric, which encodes training and test samples.
    """

    def __init__(self, data: GroundTruthData, representation: Representation):
        self._data, self._representation = data, representation
        self._latents: np.ndarray | None = None  # of the images of which `_known` is true

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self._representation(observations)

    def samples(
        self, draw: Callable[[], Sample], number: int, random_state: np.random.RandomState
    ) -> Iterator[Sample]:
        """Labels and latents, with the random numbers in dlib's order: a sample's factors, then its images.

        `draw` draws the label and the factors [points, num_factors] of a sample's groups.
        """
        images, waiting = self._images, []
        if images is None:
            points_of, encode = self._data.sample_observations_from_factors, self._representation
        else:
            points_of, encode = images.numbers, self._latents_of
        for index in range(number):
            label, groups = draw()
            points = [points_of(factors, random_state) for factors in groups]
            waiting.append((label, points))
            most = _DRAWN
            if images is None:
                most = _points_of_a_call(points[0][0].nbytes) / sum(map(len, points))
            if len(waiting) >= most or index == number - 1:
                yield from _encoded(waiting, encode)
                waiting = []

    @functools.cached_property
    def _images(self) -> NumberedImages | None:
        images = numbered_images(self._data)
        if images is None:
            return None
        first = images.observations(np.arange(min(64, len(images))))
        # A sampled representation encodes the same images differently each time.
        return images if np.array_equal(self(first), self(first)) else None

    @functools.cached_property
    def _known(self) -> np.ndarray:
        return np.zeros(len(self._images), dtype=bool)

    def _latents_of(self, numbers: np.ndarray) -> np.ndarray:
        """The latents [n, latents] of the images with these numbers; each is computed when it is first needed."""
        wanted = np.zeros_like(self._known)
        wanted[numbers] = True
        new = np.flatnonzero(wanted & ~self._known)
        at_a_time = _points_of_a_call(self._images.observations(numbers[:1]).nbytes)
        for start in range(0, len(new), at_a_time):
            part = new[start : start + at_a_time]
            latents = self._representation(self._images.observations(part))
            if self._latents is None:
                self._latents = np.zeros((len(self._images), latents.shape[1]), latents.dtype)
            self._latents[part] = latents
        self._known |= wanted
        return self._latents[numbers]


def _encoded(samples: list[Sample], encode: Callable[[np.ndarray], np.ndarray]) -> Iterator[Sample]:
    groups = [group for _, points in samples for group in points]
    latents = iter(np.split(encode(np.concatenate(groups)), np.cumsum([*map(len, groups)])[:-1]))
    for label, points in samples:
        yield label, [next(latents) for _ in points]


def _points_of_a_call(point_bytes: float) -> int:
    return max(1, min(_POINTS, int(_BYTES / point_bytes)))


def beta_vae_batch(
    ground_truth_data, representation_function, batch_size, num_points, random_state
):
    """In place of dlib's `beta_vae._generate_training_batch`; arguments and result are the same."""

    def draw() -> Sample:
        label = random_state.randint(ground_truth_data.num_factors)
        first, second = (
            ground_truth_data.sample_factors(batch_size, random_state) for _ in range(2)
        )
        second[:, label] = first[:, label]
        return label, [first, second]

    samples = _encoder(ground_truth_data, representation_function).samples(
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

    def draw() -> Sample:
        label = random_state.randint(ground_truth_data.num_factors)
        factors = ground_truth_data.sample_factors(batch_size, random_state)
        factors[:, label] = factors[0, label]
        return label, [factors]

    samples = _encoder(ground_truth_data, representation_function).samples(
        draw, num_points, random_state
    )
    votes = np.zeros((ground_truth_data.num_factors, len(global_variances)), dtype=np.int64)
    for label, (latents,) in samples:
        variances = np.var(latents, axis=0, ddof=1)[active_dims] / global_variances[active_dims]
        votes[label, np.argmin(variances)] += 1
    return votes


def _encoder(data: GroundTruthData, representation: Representation) -> Encoder:
    return representation if isinstance(representation, Encoder) else Encoder(data, representation)
