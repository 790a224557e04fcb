# SPDX-License-Identifier: Apache-2.0
"""A tracker of a measure of the decoder's Jacobians, for one that NumPy computes.

A subclass gives the measure:

    @register
    class DtoWhileTraining(JacobianTracker):
        name, label = "dto_while_training", "dto"
        settings = staticmethod(_settings)

        def value(self, batches):
            return ...
"""

import abc
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.decoder.forward_mode import forward_jacobian
from vae_ortho_plugin.decoder.tracking import probe_points
from vae_ortho_plugin.engine.tracker import CallTracker, Taken
from vae_ortho_plugin.errors import InputError


class JacobianTracker(CallTracker):
    """Takes a number that depends on the Jacobians of the image at the posterior means.

    Attributes:
        label: key of the values in the results, and their tag in TensorBoard.
        settings: the gin configurable that returns (every, num_points).

    Args:
        model: a dlib model.
        every: number of batches from one measurement to the next.
        points: observations, [points, *observation_shape].
        activation: maps the decoder's output to an image.
    """

    label: ClassVar[str]
    settings: ClassVar[Callable[[], tuple[int, int]]]

    def __init__(
        self,
        model: object,
        every: int,
        points: np.ndarray,
        activation: Callable[[tf.Tensor], tf.Tensor],
    ):
        self.every = every
        self._model, self._points, self._activation = model, points, activation

    @classmethod
    def configured(cls, model_fn, input_fn, params):
        every, num_points = probe_points.checked(cls.name, *cls.settings())
        if not every:
            return None
        model = probe_points.gaussian_model(model_fn, cls.name)
        points = probe_points.draw(input_fn, params, num_points)
        return cls(model, every, points, _image_activation(cls.name))

    @abc.abstractmethod
    def value(self, batches: Iterator[np.ndarray]) -> float:
        """The measure.

        Args:
            batches: Jacobians [at most 256, outputs, latents] in float32, in the order of the points.
        """

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
        from vae_ortho_plugin.decoder.trained_model import BATCH_SIZE

        for start in range(0, len(self._points), BATCH_SIZE):
            images = self._points[start : start + BATCH_SIZE]
            yield session.run(self._transposed, {self._images: images}).swapaxes(1, 2)

    def scalars(self, row: np.ndarray) -> dict[str, float]:
        return {self.label: float(row[0])}

    def results(self, taken: Taken, last_step: int) -> dict:
        """`every`, `num_points`, `steps` and, under `label`, the values."""
        return {
            "every": self.every,
            "num_points": len(self._points),
            "steps": taken.steps,
            self.label: [float(row[0]) for row in taken.rows],
        }


def _image_activation(measure: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The output activation that dlib's reconstruction loss is configured with."""
    from disentanglement_lib.methods.shared import losses

    from vae_ortho_plugin.decoder.trained_model import ACTIVATIONS

    def name_of_activation(true_images, reconstructed_images, activation):
        return activation

    name = losses.make_reconstruction_loss(None, None, loss_fn=name_of_activation)
    if name not in ACTIVATIONS:
        raise InputError(
            f"{measure} takes the Jacobian of the image, and reconstruction_loss.activation = "
            f"{name!r} is unknown to it; known are {', '.join(map(repr, ACTIVATIONS))}."
        )
    return ACTIVATIONS[name]
