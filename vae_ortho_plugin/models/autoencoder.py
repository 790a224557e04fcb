# SPDX-License-Identifier: Apache-2.0
"""The plain autoencoder (AE) of Table 2."""

import gin
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.models.base import PaperVAE

# log σ² of a posterior that is a point, for dlib's code that samples from it: σ = 4e-18.
_POINT_LOGVAR = -80.0


@gin.configurable("autoencoder")
class Autoencoder(PaperVAE):
    """Deterministic autoencoder: it samples nothing, and its loss is the reconstruction loss.

    The encoder's log variances are unused; the exported ones are those of a point. The KL
    divergence of a point is infinite; it is reported as 0, so that `elbo` is minus the
    reconstruction loss.
    """

    def gaussian_encoder(self, input_tensor, is_training):
        """μ(x) and the log variances of a point, [batch, latents] each."""
        mean, _ = super().gaussian_encoder(input_tensor, is_training)
        return mean, tf.fill(tf.shape(mean), _POINT_LOGVAR)

    def sample_from_latent_distribution(self, z_mean, z_logvar):
        """μ itself."""
        return tf.identity(z_mean, name="sampled_latent_variable")

    def kl_loss(self, z_mean, z_logvar):
        """0."""
        return tf.constant(0.0)

    def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
        """0."""
        return tf.constant(0.0)
