# SPDX-License-Identifier: Apache-2.0
"""The paper's reconstruction loss and polarized KL term as functions of tensors.

Equation numbers: Rolinek, Zietlow, Martius, CVPR 2019.
"""

import gin
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.decoder.forward_mode import ACTIVATIONS
from vae_ortho_plugin.errors import check_one_of


@gin.configurable("squared_error", allowlist=[])
def squared_error(
    true_images: tf.Tensor, reconstructed_images: tf.Tensor, activation: str
) -> tf.Tensor:
    """‖Dec(z) − x‖², summed over the observation (Eq. 11). For reconstruction_loss.loss_fn.

    Args:
        true_images: observations x, [batch, ...].
        reconstructed_images: the decoder's output before its activation, [batch, ...].
        activation: reconstruction_loss.activation: 'linear', 'logits' (sigmoid) or 'tanh' (tanh/2 + ½).

    Returns:
        [batch], at least 0.

    Raises:
        InputError: an unknown activation.
    """
    check_one_of("reconstruction_loss.activation", activation, ACTIVATIONS)
    difference = true_images - ACTIVATIONS[activation](reconstructed_images)
    return tf.reduce_sum(tf.square(difference), list(range(1, difference.shape.rank)))


def polarized_kl(mean: tf.Tensor, logvar: tf.Tensor, active: tf.Tensor) -> tf.Tensor:
    """L≈KL = ½ Σ_{j ∈ V_a} (μ_j² − log σ_j² − 1) (Eq. 10).

    Args:
        mean: μ, [batch, latents].
        logvar: log σ², [batch, latents].
        active: which latents are in V_a, [latents], boolean.

    Returns:
        [batch].
    """
    terms = tf.square(mean) - logvar - 1
    return 0.5 * tf.reduce_sum(tf.where_v2(active, terms, tf.zeros_like(terms)), 1)
