# SPDX-License-Identifier: Apache-2.0
"""How far a posterior's noise is from the best one for its decoder, latent by latent.

Reizinger et al.: Embrace the Gap: VAEs Perform Independent Mechanism Analysis, NeurIPS 2022.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from vae_ortho_plugin.measures.shared.arrays import Floats, number
from vae_ortho_plugin.measures.shared.jacobians import jacobians_and_sigma
from vae_ortho_plugin.measures.shared.results import OverPoints


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SelfConsistency(OverPoints):
    """At each point, the mean of the ratios over the latents: 1 at the optimum, above 0.

    Attributes:
        ratios: [points, latents], σ_k² (1 + (2/β) ‖J_k‖²).
    """

    ratios: Floats


def self_consistency(
    jacobians: ArrayLike, sigma: ArrayLike, beta: float, active: ArrayLike | None = None
) -> SelfConsistency:
    """σ_k² (1 + (2/β) ‖J_k‖²) at each point: the posterior's variance over the best one for the decoder.

    1 / (1 + (2/β) ‖J_k‖²) is the best variance of a β-VAE with a standard normal prior and the squared error
    whose decoder is linearized: the encoder then inverts the decoder as well as this posterior can. For
    another loss, multiply row i of each Jacobian by √(h_i/2), h_i the loss's second derivative by output
    i: 1/(p(1 − p)) for the cross-entropy of a probability p.

    With β = 2, the best variance is 1/4 for a column of length √3, and 1 for a column that is zero:

    >>> found = self_consistency([[[1, 0], [1, 0], [1, 0]]], [[0.5, 1.0]], beta=2)
    >>> found.ratios.round(9).tolist(), round(found.mean, 9)
    ([[1.0, 1.0]], 1.0)

    Args:
        jacobians, sigma, active: as of `precision_gap`.
        beta: β, positive.

    Raises:
        InputError: as `precision_gap`, or a β that is not positive.
    """
    small, numbers = jacobians_and_sigma(jacobians, sigma, active)
    noise = numbers * np.linalg.norm(small, axis=1)
    ratios = numbers**2 + 2 / number("beta", beta, positive=True) * noise**2
    return SelfConsistency(ratios.mean(axis=1), ratios=ratios)
