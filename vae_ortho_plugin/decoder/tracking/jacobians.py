# SPDX-License-Identifier: Apache-2.0
"""Measures of the decoder's Jacobians while a model trains, which NumPy computes between two session calls."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder import BATCH_SIZE
from vae_ortho_plugin.decoder.forward_mode import (
    ACTIVATIONS,
    configured_activation,
    forward_jacobian,
)
from vae_ortho_plugin.decoder.tracking import probe_points
from vae_ortho_plugin.engine.tracker import CallTracker, Taken, register
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import small_of_batches


def track(tag: str, measure: Callable[[Iterator[np.ndarray]], float]) -> None:
    """Registers the tracker TAG_while_training, with the parameters `every` and `num_points` in gin.

    The tag names its values in results and TensorBoard. The measure is of the image's Jacobians at the posterior means:
    batches [at most 256, outputs, latents] in float32, in the order of the points.
    """
    tracker_name = f"{tag}_while_training"

    class OneMeasure(JacobianTracker):
        name, label = tracker_name, tag
        settings = staticmethod(probe_points.settings(tracker_name))
        value = staticmethod(measure)

    register(OneMeasure)


class JacobianTracker(CallTracker):
    """Takes a measure of the Jacobians before the first batch, after each `every` batches and at the end."""

    label: ClassVar[str]
    settings: ClassVar[Callable[[], tuple[int, int]]]
    value: ClassVar[Callable[[Iterator[np.ndarray]], float]]

    def __init__(self, model: object, every: int, points: np.ndarray, activation: str):
        self.every = every
        self._model, self._points, self._activation = model, points, ACTIVATIONS[activation]

    @classmethod
    def configured(cls, model_fn, input_fn, params):
        every, num_points = cls.settings()
        if not every:
            return None
        model = probe_points.gaussian_model(model_fn, cls.name)
        points = probe_points.draw(input_fn, params, num_points)
        activation = configured_activation()
        if activation not in ACTIVATIONS:
            raise InputError(
                f"{cls.name} takes the Jacobian of the image, and reconstruction_loss.activation = "
                f"{activation!r} is unknown to it; known are {', '.join(map(repr, ACTIVATIONS))}."
            )
        return cls(model, every, points, activation)

    def build(self) -> None:
        shape = list(self._points.shape[1:])
        self._images = tf.placeholder(tf.float32, [None, *shape])
        with probe_points.trained_weights(self.name):
            mean, _ = self._model.gaussian_encoder(self._images, is_training=False)
            decoded = self._model.decode(mean, shape, is_training=False)
        self._transposed = forward_jacobian(self._activation(decoded), mean)

    def measure(self, session: tf.Session) -> np.ndarray:
        return np.array([self.value(self._jacobians(session))])

    def _jacobians(self, session: tf.Session) -> Iterator[np.ndarray]:
        for start in range(0, len(self._points), BATCH_SIZE):
            images = self._points[start : start + BATCH_SIZE]
            yield session.run(self._transposed, {self._images: images}).swapaxes(1, 2)

    def scalars(self, row: np.ndarray) -> dict[str, float]:
        return {self.label: float(row[0])}

    def results(self, taken: Taken, last_step: int) -> dict:
        """`every`, `num_points`, `steps` and, under `label`, the values; None for infinity, which JSON lacks."""
        values = [float(row[0]) for row in taken.rows]
        return {
            "every": self.every,
            "num_points": len(self._points),
            "steps": taken.steps,
            self.label: [value if np.isfinite(value) else None for value in values],
        }


track("dto", lambda batches: measures.distance_to_orthogonality(small_of_batches(batches)).mean)
track("ima_contrast", lambda batches: measures.ima_contrast(small_of_batches(batches)).mean)
