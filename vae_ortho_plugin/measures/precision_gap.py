# SPDX-License-Identifier: Apache-2.0
"""How far a posterior's noise and a decoder's columns are from the optimum of Theorem 2.

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.measures.arrays import ByValue, check_shape, float_array
from vae_ortho_plugin.measures.jacobians import small_jacobians
from vae_ortho_plugin.measures.optimum import (
    log_least_loss,
    log_linearized_loss,
    log_lower_bound,
    precision,
)


@dataclasses.dataclass(frozen=True, eq=False)
class PrecisionGap(ByValue):
    """Logarithms of ratios of losses at each point, [points] each, at least 0, in nats.

    Attributes:
        total: log of Σ_j σ_j² ‖J_j‖² over its lower bound at the same precision Σ_j −log σ_j²
            (Eqs. 20, 21, 28); sigma + columns. 0 exactly at the optimum.
        sigma: log of the loss over the least loss that any σ of the same precision has with the same
            columns (Sec. 4.1). 0 exactly where σ_j² ‖J_j‖² is the same for all latents.
        columns: log of that least loss over the bound: (2/d) log(col_Π(J) / vol(J)) (Sec. 4.2). 0
            exactly where the columns are orthogonal; infinite where they are linearly dependent.
    """

    total: NDArray[np.float64]
    sigma: NDArray[np.float64]
    columns: NDArray[np.float64]


def precision_gap(jacobians: ArrayLike, sigma: ArrayLike) -> PrecisionGap:
    """The gap between a linearized stochastic loss and the least one (Eqs. 17 to 28).

    For the gap among some latents only, pass `jacobians[:, :, latents]` and `sigma[:, latents]`. Where a
    column is zero, all three parts are infinite.

    With the M1 of Eq. 24 and equal noise, the sigma part is log((50 + 3) / 2) − log(50 · 3) / 2, and the
    columns part log(150 / 134) / 2:

    >>> gap = precision_gap([[[4, 1], [-3, 1], [5, -1]]], [[0.3, 0.3]])
    >>> gap.sigma.round(4).tolist(), gap.columns.round(4).tolist()
    ([0.7718], [0.0564])

    Args:
        jacobians: [points, outputs, latents], of the decoder at the posterior means.
        sigma: [points, latents], standard deviations of the posterior, positive.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, or a standard
            deviation that is not finite and positive.
    """
    factors = small_jacobians(jacobians)
    numbers = float_array("sigma", sigma)
    check_shape("sigma", numbers, points=factors.shape[0], latents=factors.shape[2])
    budget = precision(numbers)
    loss = log_linearized_loss(factors, numbers)
    least = log_least_loss(factors, budget)
    bound = log_lower_bound(factors, budget)
    sigma_part = _difference(loss, least)
    columns_part = _difference(least, bound)
    return PrecisionGap(sigma_part + columns_part, sigma_part, columns_part)


def _difference(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """upper − lower, at least 0 (rounding may end below); infinite where the lower one is −inf."""
    difference = np.full_like(upper, np.inf)
    np.subtract(upper, lower, out=difference, where=np.isfinite(lower))
    return np.maximum(difference, 0)
