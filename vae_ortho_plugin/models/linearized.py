# SPDX-License-Identifier: Apache-2.0
"""The linearized VAE: a β-VAE with its noise integrated out, and a dial for orthogonality.

Where the decoder is linearized at μ(x), noise N(0, Σ) in the latents costs ½ tr(C Σ), with C the curvature
of the reconstruction loss by the latents (`loss_curvature`; 2 JᵀJ for the squared error), on top of the loss
at μ(x). The β-VAE loss of a point is then

    rec(μ) + ½ tr(C Σ) + β/2 (‖μ‖² + tr Σ − log det Σ − d).

Over all Σ it is least at Σ⁻¹ = P = I + C/β, over the diagonal ones at σ_j⁻² = P_jj:

    rec(μ) + β/2 ‖μ‖² + β/2 log det P            β-VAE_Σ: no rotation of the latent space changes it
    rec(μ) + β/2 ‖μ‖² + β/2 Σ_j log P_jj          β-VAE

The difference, β/2 (Σ_j log P_jj − log det P), is at least 0 (Hadamard) and 0 exactly where the columns of J
are orthogonal, in the inner product of the loss. `orthogonality` λ weighs it.

The optimum of a linear decoder W with biases is W = U (Λ − β/2)^½ V for the principal components U whose
variances Λ are above β/2; other latents are passive. V = I up to signed permutations where λ > 0, and V is any
rotation where λ = 0. This is probabilistic PCA with the noise β/2 (Tipping and Bishop, 1999), as Lucas et al.,
"Don't Blame the ELBO!", NeurIPS 2019, show for the linear VAE.

The linearization is Eqs. 14 to 17 of Rolinek, Zietlow, Martius, CVPR 2019. Kumar and Poole, "On Implicit
Regularization in β-VAEs", ICML 2020, integrate the noise out like this. For β → 0 the weighted term is β times
the contrast of independent mechanism analysis, Gresele et al., NeurIPS 2021 (`measures.ima_contrast`).
"""

import gin
import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError, check_between, check_whole
from vae_ortho_plugin.models.base import PaperVAE
from vae_ortho_plugin.models.loss_curvature import loss_curvature

# Least eigenvalue of P scaled to a unit diagonal: ten thousand times the rounding of float64.
_FLOOR = 1e-12


@gin.configurable("linearized_vae")
class LinearizedVAE(PaperVAE):
    """Loss: rec(μ) + β/2 ‖μ‖² + β/2 [log det P + λ (Σ_j log P_jj − log det P)], P = I + C/β.

    C is 2 JᵀJ for the squared error and J_lᵀ diag(p(1 − p)) J_l for the Bernoulli loss, J_l the Jacobian
    of the logits, at μ(x). λ = 0 is β-VAE_Σ, λ = 1 is β-VAE. Nothing is sampled in training.

    The posterior is N(μ, diag σ²) with σ_j⁻² = P_jj; the encoder's log variances are unused. Outside of
    training it is sampled like that of a VAE, so that the expected loss of an evaluation is, up to the
    linearization, that of training. In training, `reconstruction_loss` is its linearized
    expectation rec(μ) + ½ Σ_j σ_j² C_jj, so that `elbo` means what it means for a VAE.

    The decoder is called once more, with its weights, inside `gaussian_encoder`.

    Args:
        beta: weight β of the KL term, positive.
        orthogonality: λ, at least 0.
        penalty_points: for how many points of a batch P is taken, in training; its terms are scaled up to
            the whole batch. None: all.

    Raises:
        InputError: an argument that is out of range. When the model is built: more penalty_points than
            points in a batch, a loss that the closed form does not cover, or a decoder without a derivative.
    """

    def __init__(
        self,
        beta: float = gin.REQUIRED,
        orthogonality: float = 1.0,
        penalty_points: int | None = None,
    ):
        check_between("linearized_vae.beta", beta, 0, np.inf)
        check_between("linearized_vae.orthogonality", orthogonality, 0, np.inf, or_least=True)
        if penalty_points is not None:
            check_whole("linearized_vae.penalty_points", penalty_points, at_least=1)
        self.beta = beta
        self.orthogonality = orthogonality
        self.penalty_points = penalty_points
        self._in_training = False
        self._decoded: tuple[tf.Tensor, tf.Tensor] | None = None

    def model_fn(self, features, labels, mode, params):
        """TPUEstimator compatible model function."""
        self._in_training = mode == tf.estimator.ModeKeys.TRAIN
        try:
            return super().model_fn(features, labels, mode, params)
        finally:
            self._in_training, self._decoded = False, None

    def gaussian_encoder(self, input_tensor, is_training):
        """μ(x) [batch, latents] and log σ² [points, latents].

        The points are the whole batch, and in the training loss its first `penalty_points`.
        """
        mean, _ = super().gaussian_encoder(input_tensor, is_training)
        points = self._penalized(mean)
        raw = self.decode(points, input_tensor.shape.as_list()[1:], is_training)
        if self._in_training:
            self._decoded = points, raw
        self._relative = loss_curvature(raw, points) / self.beta
        log_precision = tf.math.log1p(tf.matrix_diag_part(self._relative))
        return mean, -tf.cast(log_precision, mean.dtype)

    def sample_from_latent_distribution(self, z_mean, z_logvar):
        """μ in training; otherwise a sample of the posterior, [batch, latents]."""
        if self._in_training:
            return z_mean
        return super().sample_from_latent_distribution(z_mean, z_logvar)

    def decode(self, latent_tensor, observation_shape, is_training):
        """The observation before its activation, by the same weights in each call."""
        if self._decoded is not None and latent_tensor is self._decoded[0]:
            return self._decoded[1]
        with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
            return super().decode(latent_tensor, observation_shape, is_training)

    def reconstruction_loss(self, features, z_logvar, z_sampled, is_training):
        """As sampled; in training rec(μ) + ½ Σ_j σ_j² C_jj, where σ_j² C_jj = β (1 − σ_j²)."""
        loss = super().reconstruction_loss(features, z_logvar, z_sampled, is_training)
        if not self._in_training:
            return loss
        noise = tf.reduce_mean(tf.reduce_sum(-tf.math.expm1(z_logvar), 1))
        return loss + self.beta / 2 * noise

    def kl_loss(self, z_mean, z_logvar):
        """Mean KL divergence of the diagonal Gaussian from the prior; `z_logvar` may have fewer points than μ."""
        noise = tf.reduce_mean(tf.reduce_sum(tf.exp(z_logvar) - z_logvar - 1, 1))
        return 0.5 * (tf.reduce_mean(tf.reduce_sum(tf.square(z_mean), 1)) + noise)

    def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
        """β·KL + (λ − 1) β/2 (Σ_j log P_jj − log det P)."""
        if self.orthogonality == 1:
            return self.beta * kl_loss
        excess = tf.reduce_mean(hadamard_gap(self._relative))
        weight = self.beta / 2 * (self.orthogonality - 1)
        return self.beta * kl_loss + weight * tf.cast(excess, kl_loss.dtype)

    def _penalized(self, mean: tf.Tensor) -> tf.Tensor:
        """μ of the points for which P is taken."""
        if not self._in_training or self.penalty_points is None:
            return mean
        batch = mean.shape.as_list()[0]
        if batch is not None and self.penalty_points > batch:
            raise InputError(
                f"linearized_vae.penalty_points = {self.penalty_points}, but a batch has {batch} points "
                "(model.batch_size); None takes all of them."
            )
        return mean if self.penalty_points == batch else mean[: self.penalty_points]


def hadamard_gap(relative: tf.Tensor) -> tf.Tensor:
    """Σ_j log P_jj − log det P for P = I + A, [points], at least 0.

    It is −log det R of R = D^(−½) P D^(−½), D the diagonal of P, with the off-diagonal entries of R taken
    times 1 − 1e-12. So R's eigenvalues are at least 1e-12, and dependent columns give a large number with a
    derivative. The factors of det R are its pivots, the squares of the diagonal of Cholesky's factor.
    Elimination written out is three times as fast under XLA as tf.linalg.cholesky on two latents.

    Args:
        relative: A = C/β, symmetric and positive semidefinite, [points, latents, latents] in float64.
    """
    latents = int(relative.shape[-1])
    scale = tf.math.rsqrt(1 + tf.matrix_diag_part(relative))
    identity = np.eye(latents)
    rest = relative * scale[:, :, tf.newaxis] * scale[:, tf.newaxis, :]
    rest = rest * (1 - identity) * (1 - _FLOOR) + identity
    log_det = tf.zeros_like(scale[:, 0])
    for _ in range(latents):
        pivot, column = rest[:, 0, 0], rest[:, 1:, 0]
        log_det += tf.math.log(pivot)
        outer = column[:, :, tf.newaxis] * column[:, tf.newaxis, :]
        rest = rest[:, 1:, 1:] - outer / pivot[:, tf.newaxis, tf.newaxis]
    return -log_det
