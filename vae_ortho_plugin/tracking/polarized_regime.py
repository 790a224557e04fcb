# SPDX-License-Identifier: Apache-2.0
"""Δ_KL (Sec. 5.2 and Eq. 30 of Rolinek, Zietlow, Martius, CVPR 2019) while a model trains.

A small model trains 500 steps in 5 ms, so that Δ_KL is evaluated where the steps are, inside the graph:
training runs in stretches that end where an evaluation is due.
"""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import tensor_util

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD, delta_kl, share_below
from vae_ortho_plugin.tracking import probe_points

_NAME = "polarized_regime"
_VALUES = ("kl", "polarized_kl", "delta_kl", "num_active")


@gin.configurable(_NAME)
def _settings(every: int = 0, num_points: int = 1000) -> tuple[int, int]:
    """Evaluates Δ_KL during training. The trained weights do not depend on it.

    Args:
      every: number of batches from one evaluation to the next (the paper: 500); 0: none.
      num_points: number of training points, the same ones each time.
    """
    return every, num_points


class PolarizedRegime:
    """Settings and results of the evaluations in one training.

    L_KL is the model's own KL divergence from the prior: its `kl_loss` where it has one (that of the full
    covariance for β-VAE_Σ), else that of the diagonal Gaussian, as in dlib's models. L≈KL is Eq. 10 with the
    means and the variances that the model exports (for β-VAE_Σ the diagonal of Σ).

    Args:
      model: a dlib model.
      every: number of batches from one evaluation to the next; a further one comes at the end.
      points: observations, [points, *observation_shape].
    """

    def __init__(self, model: object, every: int, points: np.ndarray):
        self._model, self._every, self._points = model, every, points
        self._steps, self._values = [], {name: [] for name in _VALUES}
        self._active = []

    @classmethod
    def configured(
        cls, model_fn: Callable, draw: Callable[[int], np.ndarray]
    ) -> "PolarizedRegime | None":
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
        return cls(probe_points.gaussian_model(model_fn, _NAME), every, draw(num_points))

    def probe(self) -> "Probe":
        """What evaluates in the default graph, before the training is built there."""
        return Probe(self._model, self._every, self._points)

    def add(self, step: int, row: np.ndarray) -> dict[str, float]:
        """Notes what `Probe` evaluated after `step`; returns TensorBoard's scalars."""
        kl, polarized_kl, num_active = map(float, row[1:])
        values = kl, polarized_kl, delta_kl(kl, polarized_kl), int(num_active)
        self._steps.append(int(step))
        for name, value in zip(_VALUES, values, strict=True):
            self._values[name].append(value)
        return {f"{_NAME}/{name}": series[-1] for name, series in self._values.items()}

    def end(self, active: np.ndarray) -> None:
        """Notes which latents are active at the end, [latents] boolean."""
        self._active = np.flatnonzero(active).tolist()

    def results(self, last_step: int) -> dict:
        """For the results of a training that ended at `last_step`."""
        share = None
        if self._steps:
            share = share_below(self._steps, self._values["delta_kl"], last_step)
        return {
            "every": self._every,
            "num_points": len(self._points),
            "steps": self._steps,
            **self._values,
            "active": self._active,
            "share_below_3_percent": share,
        }


class Probe:
    """Evaluates in one graph.

    Args:
      model: a dlib model.
      every: number of batches from one evaluation to the next.
      points: observations, [points, *observation_shape].
    """

    row_width = 4

    def __init__(self, model: object, every: int, points: np.ndarray):
        self._model, self._every, self._points = model, every, points
        self._placeholder = tf.placeholder(tf.float32, points.shape)
        self._variable = tf.Variable(
            self._placeholder, trainable=False, collections=[], name="probe_points"
        )

    def initialize(self, session: tf.Session) -> None:
        session.run(self._variable.initializer, {self._placeholder: self._points})

    def left(self, batches: tf.Tensor) -> tf.Tensor:
        """int64, how many batches to train until the next evaluation.

        Args:
          batches: int64, how many the model has been trained on.
        """
        return self._every - batches % self._every

    def most_rows(self, batches: int) -> int:
        """Into how many stretches so many batches are cut at most."""
        return batches // self._every + 2

    def evaluate_if_due(
        self, offset: tf.Tensor, batches: tf.Tensor, at_end: tf.Tensor
    ) -> tf.Tensor:
        """[offset, L_KL, L≈KL, number of active latents] in float32; zeros if no evaluation is due.

        Args:
          offset: int32, how many batches the model has been trained on in this session call.
          batches: int64, the same in the whole training.
          at_end: boolean, whether it was the last one.
        """
        due = at_end | tf.equal(batches % self._every, 0)
        return tf.cond(due, lambda: self._evaluate(offset), lambda: tf.zeros([self.row_width]))

    def active(self) -> tf.Tensor:
        """Which latents are active, [latents] boolean."""
        return _active(self._encode()[0])

    def _encode(self) -> tuple[tf.Tensor, tf.Tensor]:
        with probe_points.trained_weights(_NAME):
            return self._model.gaussian_encoder(self._variable.read_value(), is_training=False)

    def _evaluate(self, offset: tf.Tensor) -> tf.Tensor:
        from disentanglement_lib.methods.unsupervised import vae

        from vae_ortho_plugin.models import losses

        mean, logvar = self._encode()
        kl = getattr(self._model, "kl_loss", vae.compute_gaussian_kl)(mean, logvar)
        if tensor_util.constant_value(kl) is not None:
            raise InputError(
                f"{_NAME} cannot be measured: {type(self._model).__name__} has no KL divergence. Bind "
                f"{_NAME}.every = 0 for this model."
            )
        active = _active(mean)
        polarized_kl = tf.reduce_mean(losses.polarized_kl(mean, logvar, active))
        num_active = tf.reduce_sum(tf.cast(active, tf.float32))
        return tf.stack([tf.cast(offset, tf.float32), kl, polarized_kl, num_active])


def _active(mean: tf.Tensor) -> tf.Tensor:
    return tf.math.reduce_variance(mean, 0) > ACTIVE_STD**2
