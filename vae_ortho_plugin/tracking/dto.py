# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality (Eq. 29 of Rolinek, Zietlow, Martius, CVPR 2019) while a model trains.

It is taken between two session calls: its singular value decompositions and assignments are NumPy's.
"""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.tracking import probe_points

_NAME = "dto_while_training"


@gin.configurable(_NAME)
def _settings(every: int = 0, num_points: int = 1000) -> tuple[int, int]:
    """Measures DtO during training. The trained weights do not depend on it.

    Args:
      every: number of batches from one measurement to the next; 0: none.
      num_points: number of training points, the same ones each time.
    """
    return every, num_points


class DtoWhileTraining:
    """Settings and results of the measurements in one training.

    They come before the first batch, after each `every` batches and at the end.

    Args:
      model: a dlib model.
      every: number of batches from one measurement to the next.
      points: observations, [points, *observation_shape].
      activation: makes an image of the decoder's output.
    """

    def __init__(
        self,
        model: object,
        every: int,
        points: np.ndarray,
        activation: Callable[[tf.Tensor], tf.Tensor],
    ):
        self._model, self._every, self._points = model, every, points
        self._activation = activation
        self._steps, self._values = [], []

    @classmethod
    def configured(
        cls, model_fn: Callable, draw: Callable[[int], np.ndarray]
    ) -> "DtoWhileTraining | None":
        """As gin says; None if it is switched off.

        Args:
          model_fn: what the estimator trains.
          draw: gives so many training points.

        Raises:
          InputError: a setting or the model is unfit.
        """
        every, num_points = probe_points.checked(_NAME, *_settings())
        if not every:
            return None
        model = probe_points.gaussian_model(model_fn, _NAME)
        return cls(model, every, draw(num_points), _image_activation())

    def jacobians(self) -> tuple[tf.Tensor, tf.Tensor]:
        """In the default graph, where the training has been built: what `measure` feeds and fetches."""
        from vae_ortho_plugin.trained_model import forward_jacobian

        shape = list(self._points.shape[1:])
        images = tf.placeholder(tf.float32, [None, *shape])
        with probe_points.trained_weights(_NAME):
            mean, _ = self._model.gaussian_encoder(images, is_training=False)
            decoded = self._model.decode(mean, shape, is_training=False)
        return images, forward_jacobian(self._activation(decoded), mean)

    def batches_left(self, batches: int) -> int:
        """How many batches to train until the next measurement.

        Args:
          batches: how many the model has been trained on.
        """
        return self._every - batches % self._every

    def is_due(self, batches: int) -> bool:
        """Whether to measure after so many batches."""
        return batches % self._every == 0

    def measure(
        self, session: tf.Session, jacobians: tuple[tf.Tensor, tf.Tensor], step: int
    ) -> dict[str, float]:
        """Notes DtO at `step`; returns TensorBoard's scalars, none if it was measured there before.

        Args:
          session: the training's.
          jacobians: what `jacobians` returned.
          step: global step.
        """
        from vae_ortho_plugin import trained_model
        from vae_ortho_plugin.measures import dto

        if step in self._steps[-1:]:
            return {}
        images, transposed = jacobians
        distances = []
        for start in range(0, len(self._points), trained_model.BATCH_SIZE):
            batch = self._points[start : start + trained_model.BATCH_SIZE]
            found = session.run(transposed, {images: batch}).swapaxes(1, 2)
            distances.append(dto.point_distances(found, first_point=start))
        self._steps.append(step)
        self._values.append(dto.summarize(np.concatenate(distances)).mean)
        return {"dto": self._values[-1]}

    def results(self) -> dict:
        """For the results of the training."""
        return {
            "every": self._every,
            "num_points": len(self._points),
            "steps": self._steps,
            "dto": self._values,
        }


def _image_activation() -> Callable[[tf.Tensor], tf.Tensor]:
    """The output activation that dlib's reconstruction loss is configured with."""
    from disentanglement_lib.methods.shared import losses

    from vae_ortho_plugin.trained_model import ACTIVATIONS

    name = losses.make_reconstruction_loss(None, None, loss_fn=lambda *given: given[2])
    if name not in ACTIVATIONS:
        raise InputError(
            f"{_NAME} takes the Jacobian of the image, and reconstruction_loss.activation = {name!r} is "
            f"unknown to it; known are {', '.join(map(repr, ACTIVATIONS))}."
        )
    return ACTIVATIONS[name]
