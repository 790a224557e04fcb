# SPDX-License-Identifier: Apache-2.0
"""How far a posterior's noise and a decoder's columns are from the optimum of Theorem 2.

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.
"""

import dataclasses

import numpy as np

from vae_ortho_plugin.measures import optimum


@dataclasses.dataclass(frozen=True)
class PrecisionGap:
    """Logarithms of ratios of losses at each point, [points] each, at least 0, in nats.

    Attributes:
        total: log of Σ_j σ_j² ‖J_j‖² over its lower bound at the same precision Σ_j −log σ_j²
            (Eqs. 20, 21, 28); sigma + columns. 0 exactly at the optimum.
        sigma: log of the loss over the least loss that any σ of the same precision has with the same
            columns (Sec. 4.1). 0 exactly where σ_j² ‖J_j‖² is the same for all latents.
        columns: log of that least loss over the bound: (2/d) log(col_Π(J) / vol(J)) (Sec. 4.2). 0
            exactly where the columns are orthogonal; infinite where they are linearly dependent.
    """

    total: np.ndarray
    sigma: np.ndarray
    columns: np.ndarray


def precision_gap(jacobians: np.ndarray, sigma: np.ndarray) -> PrecisionGap:
    """The gap between a linearized stochastic loss and the least one.

    For the gap among some latents only, pass `jacobians[:, :, latents]` and `sigma[:, latents]`. Where a
    column is zero, all three are infinite.

    Args:
        jacobians: [points, outputs, latents], of the decoder at the posterior means.
        sigma: [points, latents], standard deviations of the posterior.

    Raises:
        InputError: a Jacobian that is not finite, a standard deviation that is not positive.
    """
    precision = optimum.precision(sigma)
    least = optimum.log_least_loss(jacobians, precision)
    bound = optimum.log_lower_bound(jacobians, precision)
    # Rounding may end below 0.
    sigma_part = np.maximum(optimum.log_linearized_loss(jacobians, sigma) - least, 0)
    columns_part = np.full_like(least, np.inf)
    np.subtract(least, bound, out=columns_part, where=np.isfinite(bound))
    columns_part = np.maximum(columns_part, 0)
    return PrecisionGap(sigma_part + columns_part, sigma_part, columns_part)
