# SPDX-License-Identifier: Apache-2.0
"""The reconstruction loss as a deterministic and a stochastic part (Prop. 4).

Equations are those of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by
Accident), CVPR 2019. They are stated for the squared error, summed over the observation.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from vae_ortho_plugin.errors import InputError


@dataclasses.dataclass(frozen=True)
class LossDecomposition:
    """Terms of the squared error at each point, [points] each, all at least 0.

    Attributes:
        total: E‖Dec(z) − x‖² (Eq. 11), mean over the samples z.
        deterministic: ‖Dec(μ) − x‖² (Eq. 13).
        stochastic: E‖Dec(μ) − Dec(z)‖² (Eq. 14), mean over the same samples.
        linearized: E‖J ε‖² (Eq. 17), exact; Σ_j σ_j² ‖J_j‖² for a diagonal posterior.
    """

    total: np.ndarray
    deterministic: np.ndarray
    stochastic: np.ndarray
    linearized: np.ndarray


def loss_decomposition(
    observations: np.ndarray,
    decoded_means: np.ndarray,
    decoded_samples: Iterable[np.ndarray],
    noise_jacobians: np.ndarray,
) -> LossDecomposition:
    """The parts of the reconstruction loss, for decoders and posteriors of any kind.

    Args:
        observations: x, [points, ...].
        decoded_means: Dec(μ(x)), as observations.
        decoded_samples: one or more of Dec(z), z ~ q(z|x), each as observations.
        noise_jacobians: [points, outputs, latents]: J L, the decoder's Jacobian at μ(x) times a factor L
            of the posterior's covariance L Lᵀ; σ_j J_j for a diagonal posterior.

    Raises:
        InputError: no samples, or shapes that do not fit.
    """
    target, mean = _flat(observations), _flat(decoded_means)
    if noise_jacobians.shape[:2] != target.shape:
        raise InputError(
            f"Jacobians of the shape {noise_jacobians.shape} do not fit observations of the shape "
            f"{np.shape(observations)}; they must be [points, outputs, latents]."
        )
    totals, deviations = [], []
    for sample in decoded_samples:
        sample = _flat(sample)
        totals.append(_squares(sample, target))
        deviations.append(_squares(sample, mean))
    if not totals:
        raise InputError("The stochastic loss needs at least one sample; got none.")
    return LossDecomposition(
        total=np.mean(totals, axis=0),
        deterministic=_squares(mean, target),
        stochastic=np.mean(deviations, axis=0),
        linearized=np.sum(np.square(noise_jacobians, dtype=np.float64), axis=(1, 2)),
    )


def _flat(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, np.float64).reshape(len(array), -1)


def _squares(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if left.shape != right.shape:
        raise InputError(
            f"Decoded points and observations differ in shape: {left.shape} and {right.shape}."
        )
    return np.sum((left - right) ** 2, axis=1)
