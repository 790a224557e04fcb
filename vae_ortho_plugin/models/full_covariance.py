# SPDX-License-Identifier: Apache-2.0
"""β-VAE_Σ: a β-VAE without the diagonal approximation of the posterior.

Sec. 5.1 and Suppl. B.3 of Rolinek, Zietlow, Martius, CVPR 2019. Its objective is invariant under
rotations of the latent space (Prop. 3), so nothing aligns the latents with the directions of the
data.
"""

import gin
import tensorflow.compat.v1 as tf
from disentanglement_lib.methods.shared import architectures

from vae_ortho_plugin.models.base import PaperVAE


@gin.configurable("full_covariance_vae")
class FullCovarianceVAE(PaperVAE):
    """q(z|x) = N(μ(x), Σ(x)) with Σ = L Lᵀ; loss: rec + β·½(‖μ‖² + tr Σ − log det Σ − d).

    Every encoder of dlib works. It is built with d(d+1)/2 "latents". Their means are μ and the
    entries of L below its diagonal; the first d of their log variances are 2 log L_jj.

    Args:
        beta: weight β of the KL term.
    """

    def __init__(self, beta: float = gin.REQUIRED):
        self.beta = beta
        self._scale_tril = None

    def gaussian_encoder(self, input_tensor, is_training):
        """μ(x) and the log of Σ(x)'s diagonal, [batch, latents] each."""
        latents = _configured_latents(input_tensor)
        first, second = architectures.make_gaussian_encoder(
            input_tensor, is_training=is_training, num_latent=latents * (latents + 1) // 2
        )
        mean, below = first[:, :latents], first[:, latents:]
        self._scale_tril = scale_tril(second[:, :latents], below)
        return mean, tf.log(tf.reduce_sum(tf.square(self._scale_tril), 2))

    def sample_from_latent_distribution(self, z_mean, z_logvar):
        """μ + L ε with the L of the last encoded batch, [batch, latents]."""
        noise = tf.random_normal(tf.shape(z_mean))
        return tf.add(
            z_mean, tf.linalg.matvec(self._scale_tril, noise), name="sampled_latent_variable"
        )

    def kl_loss(self, z_mean, z_logvar):
        """Mean over the batch of KL(N(μ, L Lᵀ) ‖ N(0, 1)) = ½ (‖μ‖² + tr Σ − log det Σ − d), a scalar."""
        trace = tf.reduce_sum(tf.square(self._scale_tril), [1, 2])
        log_det = 2 * tf.reduce_sum(tf.log(tf.matrix_diag_part(self._scale_tril)), 1)
        squares = tf.reduce_sum(tf.square(z_mean), 1)
        kl = 0.5 * (squares + trace - log_det - int(z_mean.shape[1]))
        return tf.reduce_mean(kl, name="kl_loss")

    def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
        """β·KL."""
        return self.beta * kl_loss


def scale_tril(log_squared_diagonal: tf.Tensor, below_diagonal: tf.Tensor) -> tf.Tensor:
    """The lower triangular matrix L [batch, d, d].

    Args:
        log_squared_diagonal: 2 log L_jj, [batch, d].
        below_diagonal: the entries below the diagonal in the order (1,0), (2,0), (2,1), (3,0), …,
            [batch, d(d−1)/2].
    """
    latents = int(log_squared_diagonal.shape[1])
    diagonal = tf.exp(log_squared_diagonal / 2)
    zero = tf.zeros_like(diagonal[:, 0])
    rows = []
    for row in range(latents):
        first = row * (row - 1) // 2
        below = [below_diagonal[:, first + column] for column in range(row)]
        rows.append(tf.stack([*below, diagonal[:, row], *[zero] * (latents - row - 1)], 1))
    return tf.stack(rows, 1)


def _configured_latents(input_tensor: tf.Tensor) -> int:
    """The gin binding encoder.num_latent.

    It is read by building the encoder as configured, in a graph that is not used. This puts the
    binding into gin's operative config, where dlib looks it up.
    """
    with tf.Graph().as_default():
        observations = tf.placeholder(tf.float32, [1, *input_tensor.shape.as_list()[1:]])
        return architectures.make_gaussian_encoder(observations)[0].shape.as_list()[1]
