# SPDX-License-Identifier: Apache-2.0
"""Δ_KL (Sec. 5.2 and Eq. 30 of Rolinek et al., CVPR 2019) while a model trains.

It is evaluated inside the graph: a small model trains 500 steps in 5 ms, less than a session call costs.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import tensor_util

from vae_ortho_plugin.decoder.tracking import probe_points
from vae_ortho_plugin.engine.tracker import LoopTracker, Taken, register
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD, delta_kl_of_terms, share_below

_NAME = "polarized_regime"
_settings = probe_points.settings(_NAME)


@register
class PolarizedRegime(LoopTracker):
    """Evaluates L_KL, L≈KL and the number of active latents.

    L_KL is the model's own KL divergence from the prior: its `kl_loss` where it has one (that of the
    full covariance for β-VAE_Σ), else that of the diagonal Gaussian, as in dlib's models. L≈KL is Eq. 10
    with the means and the variances that the model exports (for β-VAE_Σ the diagonal of Σ).
    """

    name = _NAME
    row_width = 3

    def __init__(self, model: object, every: int, points: np.ndarray):
        self._model, self.every, self.points = model, every, points

    @classmethod
    def configured(cls, model_fn, input_fn, params):
        every, num_points = _settings()
        if not every:
            return None
        model = probe_points.gaussian_model(model_fn, _NAME)
        return cls(model, every, probe_points.draw(input_fn, params, num_points))

    def row(self, points: tf.Tensor) -> tf.Tensor:
        """[L_KL, L≈KL, number of active latents]."""
        from disentanglement_lib.methods.unsupervised import vae

        from vae_ortho_plugin.models import losses

        mean, logvar = self._encode(points)
        kl = getattr(self._model, "kl_loss", vae.compute_gaussian_kl)(mean, logvar)
        if tensor_util.constant_value(kl) is not None:
            raise InputError(
                f"{_NAME} cannot be measured: {type(self._model).__name__} has no KL divergence. Bind "
                f"{_NAME}.every = 0 for this model."
            )
        active = _active(mean)
        polarized_kl = tf.reduce_mean(losses.polarized_kl(mean, logvar, active))
        return tf.stack([kl, polarized_kl, tf.reduce_sum(tf.cast(active, tf.float32))])

    def final(self, points: tf.Tensor) -> tf.Tensor:
        """Which latents are active, [latents] boolean."""
        return _active(self._encode(points)[0])

    def scalars(self, row: np.ndarray) -> dict[str, float]:
        return {f"{_NAME}/{key}": value for key, value in _values(row).items()}

    def results(self, taken: Taken, last_step: int) -> dict:
        """Steps, values and, where there are any, the share of training with Δ_KL < 3 % to the end."""
        values = [_values(row) for row in taken.rows]
        series = {key: [one[key] for one in values] for key in _values(np.zeros(3))}
        share = share_below(taken.steps, series["delta_kl"], last_step) if values else None
        return {
            "every": self.every,
            "num_points": len(self.points),
            "steps": taken.steps,
            **series,
            "active": [] if taken.final is None else np.flatnonzero(taken.final).tolist(),
            "share_below_3_percent": share,
        }

    def _encode(self, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with probe_points.trained_weights(_NAME):
            return self._model.gaussian_encoder(points, is_training=False)


def _values(row: np.ndarray) -> dict[str, float | int]:
    kl, polarized_kl, num_active = map(float, row)
    return {
        "kl": kl,
        "polarized_kl": polarized_kl,
        "delta_kl": delta_kl_of_terms(kl, polarized_kl),
        "num_active": int(num_active),
    }


def _active(mean: tf.Tensor) -> tf.Tensor:
    return tf.math.reduce_variance(mean, 0) > ACTIVE_STD**2
