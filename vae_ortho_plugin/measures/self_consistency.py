# SPDX-License-Identifier: Apache-2.0
"""How far a posterior's noise is from the best one for its decoder, latent by latent.

Reizinger et al.: Embrace the Gap: VAEs Perform Independent Mechanism Analysis, NeurIPS 2022.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.arrays import ByValue, check_shape, float_array, number
from vae_ortho_plugin.measures.jacobians import small_jacobians
from vae_ortho_plugin.measures.optimum import precision


@dataclasses.dataclass(frozen=True, eq=False)
class SelfConsistency(ByValue):
    """Variances of the posterior over the best ones; 1 at the optimum, each above 0.

    Attributes:
        mean: of per_point, over the points.
        std: standard deviation of per_point (ddof = 0).
        stderr: std / sqrt(points).
        per_point: [points], mean of the ratios over the latents.
        ratios: [points, latents], σ_k² (1 + (2/β) ‖J_k‖²).
    """

    mean: float
    std: float
    stderr: float
    per_point: NDArray[np.float64]
    ratios: NDArray[np.float64]


def self_consistency(jacobians: ArrayLike, sigma: ArrayLike, beta: float) -> SelfConsistency:
    """σ_k² (1 + (2/β) ‖J_k‖²) at each point: the posterior's variance over the best one for the decoder.

    1 / (1 + (2/β) ‖J_k‖²) is the best variance of a β-VAE with a standard normal prior and the squared error
    whose decoder is linearized: the encoder then inverts the decoder as well as this posterior can. For
    another loss, multiply row i of each Jacobian by √(h_i/2), h_i the loss's second derivative by output
    i: 1/(p(1 − p)) for the cross-entropy of a probability p. For the ratios of some latents only, pass
    `jacobians[:, :, latents]` and `sigma[:, latents]`.

    With β = 2, the best variance is 1/4 for a column of length √3, and 1 for a column that is zero:

    >>> found = self_consistency([[[1, 0], [1, 0], [1, 0]]], [[0.5, 1.0]], beta=2)
    >>> found.ratios.round(9).tolist(), round(found.mean, 9)
    ([[1.0, 1.0]], 1.0)

    Args:
        jacobians: [points, outputs, latents], of the decoder at the posterior means.
        sigma: [points, latents], standard deviations of the posterior, positive.
        beta: β, positive.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, a standard deviation that
            is not finite and positive, or a β that is not positive.
    """
    factors = small_jacobians(jacobians)
    numbers = float_array("sigma", sigma)
    check_shape("sigma", numbers, points=factors.shape[0], latents=factors.shape[2])
    precision(numbers)  # refuses what is not positive
    weight = number("beta", beta)
    if weight <= 0:
        raise InputError(f"beta must be positive; got {weight}.")
    noise = numbers * np.linalg.norm(factors, axis=1)
    ratios = numbers**2 + 2 / weight * noise**2
    per_point = ratios.mean(axis=1)
    std = float(per_point.std())
    return SelfConsistency(
        mean=float(per_point.mean()),
        std=std,
        stderr=std / float(np.sqrt(len(per_point))),
        per_point=per_point,
        ratios=ratios,
    )
