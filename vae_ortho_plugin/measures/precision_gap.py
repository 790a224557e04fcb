# SPDX-License-Identifier: Apache-2.0
"""How far a posterior's noise and a decoder's columns are from Theorem 2's optimum, Rolinek et al., CVPR 2019."""

import dataclasses

from numpy.typing import ArrayLike

from vae_ortho_plugin.measures.optimum import (
    log_least_loss,
    log_linearized_loss,
    log_lower_bound,
    precision,
)
from vae_ortho_plugin.measures.shared.arrays import log_excess
from vae_ortho_plugin.measures.shared.jacobians import jacobians_and_sigma
from vae_ortho_plugin.measures.shared.results import OverPoints


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrecisionGap(OverPoints):
    """The gap at each point, at least 0, in nats; the sum of its parts. 0 exactly at the optimum.

    Attributes:
        sigma_part: log of the loss over the least loss that any σ of the same precision has with the
            same columns (Sec. 4.1). 0 exactly where σ_j² ‖J_j‖² is the same for all latents.
        columns_part: log of that least loss over the bound: (2/d) log(col_Π(J) / vol(J)) (Sec. 4.2). 0
            exactly where the columns are orthogonal; infinite where they are linearly dependent.
    """

    sigma_part: OverPoints
    columns_part: OverPoints


def precision_gap(
    jacobians: ArrayLike, sigma: ArrayLike, active: ArrayLike | None = None
) -> PrecisionGap:
    """log of Σ_j σ_j² ‖J_j‖² over its lower bound at the same precision Σ_j −log σ_j² (Eqs. 17 to 28).

    Where a column is zero, the gap and its parts are infinite.

    With the M1 of Eq. 24 and equal noise, the sigma part is log((50 + 3) / 2) − log(50 · 3) / 2, and the
    columns part log(150 / 134) / 2:

    >>> gap = precision_gap([[[4, 1], [-3, 1], [5, -1]]], [[0.3, 0.3]])
    >>> round(gap.sigma_part.mean, 4), round(gap.columns_part.mean, 4)
    (0.7718, 0.0564)

    Args:
        jacobians: [points, outputs, latents], of the decoder at the posterior means.
        sigma: [points, latents], standard deviations of the posterior, positive.
        active: indices of the latents to take; all by default.

    Raises:
        InputError: wrong shape, no real numbers, a value that is not finite, or a σ that is not positive.
    """
    small, numbers = jacobians_and_sigma(jacobians, sigma, active)
    budget = precision(numbers)
    least = log_least_loss(small, budget)
    of_sigma = log_excess(log_linearized_loss(small, numbers), least)
    of_columns = log_excess(least, log_lower_bound(small, budget))
    return PrecisionGap(
        of_sigma + of_columns, sigma_part=OverPoints(of_sigma), columns_part=OverPoints(of_columns)
    )
