# SPDX-License-Identifier: Apache-2.0
"""The β-VAE with the KL term of the polarized regime, Eq. 10 of Rolinek, Zietlow, Martius, CVPR 2019."""

import gin
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD
from vae_ortho_plugin.models.base import PaperVAE
from vae_ortho_plugin.models.losses import polarized_kl


@gin.configurable("polarized_vae")
class PolarizedVAE(PaperVAE):
    """Loss: rec + β·L≈KL, L≈KL = ½ Σ_{j ∈ V_a} (μ_j² − log σ_j² − 1).

    V_a, the set of active latents, follows from running averages of μ_j and μ_j² over the batches seen.

    Eq. 10 has no σ² term. The term −log σ_j² alone would drive the σ of an active latent that the decoder does
    not need to infinity, and no term bounds the σ of passive latents. The polarized regime has σ ≤ 1
    (Definition 1), so the posterior is restricted to it: log σ² = log sigmoid(v) for the encoder's output v.

    Args:
        beta: weight β of the KL term.
        decay: of the running averages, per batch.
    """

    def __init__(self, beta: float = gin.REQUIRED, decay: float = 0.99):
        self.beta = beta
        self.decay = decay

    def gaussian_encoder(self, input_tensor, is_training):
        """μ(x) and log σ²(x) < 0, [batch, latents] each."""
        self._is_training = is_training
        mean, unbounded = super().gaussian_encoder(input_tensor, is_training)
        return mean, tf.log_sigmoid(unbounded)

    def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
        """Mean of β·L≈KL over the batch, a scalar."""
        active = self._active_latents(z_mean)
        return self.beta * tf.reduce_mean(polarized_kl(z_mean, z_logvar, active))

    def _active_latents(self, z_mean: tf.Tensor) -> tf.Tensor:
        """Whether sqrt(var(μ_j)) > 0.5, boolean [latents]; in training, with this batch."""
        latents = int(z_mean.shape[1])
        with tf.variable_scope("active_latents", reuse=tf.AUTO_REUSE):
            # Decaying sums of 1, μ and μ²: their ratios are averages from the first batch on.
            sums = tf.get_variable(
                "sums", [3, latents], initializer=tf.zeros_initializer(), trainable=False
            )
        totals = sums.read_value()
        if self._is_training:
            moments = tf.stack([tf.ones_like(z_mean), z_mean, tf.square(z_mean)])
            totals = self.decay * totals + tf.stop_gradient(tf.reduce_mean(moments, 1))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, sums.assign(totals))
        weight, mean, square = tf.unstack(totals)
        weight = tf.maximum(weight, 1e-12)
        return square / weight - tf.square(mean / weight) > ACTIVE_STD**2
