# SPDX-License-Identifier: Apache-2.0
"""The least stochastic reconstruction loss that a precision budget allows, in closed form.

Equations and sections are those of Rolinek et al., CVPR 2019. At one point, with J the decoder's Jacobian, J_j its
columns and independent noise of the standard deviations σ_j, the linearized loss is (Eq. 17)

    E‖J ε‖² = Σ_j σ_j² ‖J_j‖².

The KL term sets a budget. With the means fixed, Eqs. 19, 21 and 23 all fix P = Σ_j −log σ_j², here called
the precision. Then, with d latents and vol(J) = sqrt(det JᵀJ), the product of J's singular values,

    Σ_j σ_j² ‖J_j‖²  ≥  d e^(−P/d) col_Π(J)^(2/d)  ≥  d e^(−P/d) vol(J)^(2/d).

The first is an equality where σ_j² ‖J_j‖² is the same for all j (Sec. 4.1: the inequality of the
arithmetic and the geometric mean), the second where the columns are orthogonal (Sec. 4.2: Eq. 28).
Rotations of the latent space change col_Π and do not change vol. The logarithm of the bound is linear
in P, so that in the problem over all points (Eqs. 18, 19) it does not matter how the budget is divided
among the points: its minimum is the sum of these logarithms for any division.

The paper's constants differ: Eqs. 25 and 26 read 24.5 e^(−C) and 52.4 e^(−C). With C as in Eq. 23,
C = Σ_j −log σ_j², the formula above gives e^(−C/2) for two latents; the paper's e^(−C) holds for
C = Σ_j −log σ_j, that is P = 2C. C has this meaning in Eqs. 10 and 21 too.

Arguments: `jacobians` [points, outputs, latents], or R of J = QR in their place (`triangular_factors`); `sigma`
and `means` [points, latents]; `precision` and `kl` a number or [points]. Results are float64 [points], unless a
function says otherwise. Each function raises InputError for another shape, a value that is not finite, or a σ
that is not positive.

The examples below use the M1 of Eq. 24, whose columns have the squared lengths 50 and 3 and the
inner product −4.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import Floats, latent_table, per_point, positive_sigma
from vae_ortho_plugin.measures.shared.jacobians import (
    checked_jacobians,
    jacobians_and_sigma,
    small_jacobians,
)

# Share of a column's length outside the span of the columns before it that is only rounding: about
# 1e-15 in float64 with few outputs, 1e-13 with 10,000.
_DEPENDENT = 1e-12


def precision(sigma: ArrayLike) -> Floats:
    """P = Σ_j −log σ_j² (left side of Eq. 23), [points].

    >>> precision([[np.exp(-1), 1]]).round(9).tolist()
    [2.0]
    """
    return np.asarray(-2 * np.log(positive_sigma(sigma)).sum(axis=-1))


def precision_of_kl(kl: ArrayLike, means: ArrayLike) -> Floats:
    """P for which L≈KL (Eq. 10, all latents active) has the value `kl`: 2 kl − ‖μ‖² + d, [points].

    `kl` is in nats, C_i in Eq. 21.

    >>> precision_of_kl(3.0, [[1.0, 0.0]]).tolist()
    [7.0]
    """
    mu = latent_table("means", means)
    squares = np.sum(mu**2, axis=-1)
    return np.asarray(2 * per_point("kl", kl, len(mu)) - squares + mu.shape[-1])


def log_column_product(jacobians: ArrayLike) -> Floats:
    """log col_Π(J) = Σ_j log ‖J_j‖ (Eq. 27), [points]; −inf where a column is zero.

    >>> np.exp(2 * log_column_product([[[4, 1], [-3, 1], [5, -1]]])).round(6).tolist()
    [150.0]
    """
    return np.asarray(_log_column_norms(small_jacobians(jacobians)).sum(axis=-1))


def log_volume(jacobians: ArrayLike) -> Floats:
    """log of the volume that J makes of the unit cube (right side of Eq. 28), [points].

    This is the sum of the logarithms of J's singular values. It is −inf where columns are linearly
    dependent up to rounding, as they always are with more latents than outputs.

    >>> np.exp(2 * log_volume([[[4, 1], [-3, 1], [5, -1]]])).round(6).tolist()  # 50 · 3 − 4²
    [134.0]
    """
    small = small_jacobians(jacobians)
    points, outputs, latents = small.shape
    if outputs < latents:
        return np.full(points, -np.inf)
    heights = np.abs(np.diagonal(np.linalg.qr(small, mode="r"), axis1=1, axis2=2))
    with np.errstate(divide="ignore"):
        logs = np.log(heights)
    dependent = logs <= _log_column_norms(small) + np.log(_DEPENDENT)
    return np.where(dependent.any(axis=1), -np.inf, logs.sum(axis=1))


def optimal_sigma(jacobians: ArrayLike, precision: ArrayLike) -> Floats:
    """The σ of least linearized loss for given columns (Eqs. 22, 23), [points, latents].

    σ_j² = e^(−P/d) col_Π(J)^(2/d) / ‖J_j‖². A column that is zero, whose latent would take noise without
    bound, is refused. For M1, σ_1²/σ_2² is 3/50 (Eq. 25):

    >>> sigma = optimal_sigma([[[4, 1], [-3, 1], [5, -1]]], precision=0.0)
    >>> round(float(sigma[0, 0] / sigma[0, 1]) ** 2, 6)
    0.06
    """
    norms = _log_column_norms(small_jacobians(jacobians))
    if not np.isfinite(norms).all():
        point, latent = np.argwhere(~np.isfinite(norms))[0]
        raise InputError(
            f"The decoder ignores latent {latent} at point {point}, so that no sigma is optimal: "
            "leave that latent out, as in jacobians[:, :, active]."
        )
    share = -per_point("precision", precision, len(norms)) / (2 * norms.shape[1])
    mean = norms.mean(axis=1, keepdims=True)
    return np.asarray(np.exp(np.expand_dims(share, -1) + mean - norms))


def optimal_columns(jacobians: ArrayLike) -> Floats:
    """J V = U S for J = U S Vᵀ: the same decoder after the rotation that makes its columns orthogonal.

    [points, outputs, latents], longest column first. This is a minimum over V in Theorem 2 and Eq. 27. Where
    the singular values are distinct, the other minima differ by signed permutations of the columns.

    >>> columns = optimal_columns([[[2, 1], [1, 2]]])[0]
    >>> np.abs(columns.T @ columns).round(9).tolist()
    [[9.0, 0.0], [0.0, 1.0]]
    """
    # The small Jacobians have J's right singular vectors. With fewer outputs than latents, V is completed
    # to a rotation.
    transposed = np.linalg.svd(small_jacobians(jacobians), full_matrices=True)[2]
    wide = checked_jacobians(jacobians).astype(np.float64)
    return np.asarray(wide @ transposed.swapaxes(1, 2))


def log_linearized_loss(jacobians: ArrayLike, sigma: ArrayLike) -> Floats:
    """log Σ_j σ_j² ‖J_j‖² (Eq. 17; the objective of Eq. 18 at a point), [points].

    −inf where the Jacobian is zero.

    >>> np.exp(log_linearized_loss([[[4, 1], [-3, 1], [5, -1]]], [[1, 1]])).round(6).tolist()
    [53.0]
    """
    small, numbers = jacobians_and_sigma(jacobians, sigma)
    return np.asarray(logsumexp(2 * (np.log(numbers) + _log_column_norms(small)), axis=-1))


def log_least_loss(jacobians: ArrayLike, precision: ArrayLike) -> Floats:
    """log of d e^(−P/d) col_Π(J)^(2/d), [points]: the least over σ for given columns (Eqs. 22 to 26).

    −inf where a column is zero. The 24.5 of Eq. 25 is 2 sqrt(150):

    >>> np.exp(log_least_loss([[[4, 1], [-3, 1], [5, -1]]], precision=0.0)).round(2).tolist()
    [24.49]
    """
    small = small_jacobians(jacobians)
    return _log_loss(small, precision, log_column_product(small))


def log_lower_bound(jacobians: ArrayLike, precision: ArrayLike) -> Floats:
    """log of d e^(−P/d) vol(J)^(2/d), [points]: the least over σ and V (Eqs. 20, 21; Eq. 28).

    −inf where columns are linearly dependent. Summed over the points, with precisions of any given
    sum, it is the minimum of Eqs. 18 and 19.

    >>> np.exp(log_lower_bound([[[4, 1], [-3, 1], [5, -1]]], precision=0.0)).round(2).tolist()
    [23.15]
    """
    small = small_jacobians(jacobians)
    return _log_loss(small, precision, log_volume(small))


def _log_loss(small: Floats, precision: ArrayLike, log_product: Floats) -> Floats:
    points, _, latents = small.shape
    numbers = per_point("precision", precision, points)
    return np.asarray(np.log(latents) + (2 * log_product - numbers) / latents)


def _log_column_norms(small: Floats) -> Floats:
    """log ‖J_j‖, [points, latents]; −inf for a zero column."""
    largest = np.abs(small).max(axis=1, keepdims=True)
    largest[largest == 0] = 1  # scaled, so that no square leaves float64's range
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.linalg.norm(small / largest, axis=1)) + np.log(largest[:, 0]))
