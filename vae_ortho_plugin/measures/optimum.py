# SPDX-License-Identifier: Apache-2.0
"""The least stochastic reconstruction loss that a precision budget allows, in closed form.

Equations and sections are those of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019. At one point, with J the decoder's Jacobian, J_j its columns and
independent noise of the standard deviations σ_j, the linearized loss is (Eq. 17)

    E‖J ε‖² = Σ_j σ_j² ‖J_j‖².

The KL term sets a budget. With the means fixed, Eqs. 19, 21 and 23 all fix P = Σ_j −log σ_j², here called
the precision. Then, with d latents and vol(J) = sqrt(det JᵀJ), the product of J's singular values,

    Σ_j σ_j² ‖J_j‖²  ≥  d e^(−P/d) col_Π(J)^(2/d)  ≥  d e^(−P/d) vol(J)^(2/d).

The first is an equality where σ_j² ‖J_j‖² is the same for all j (Sec. 4.1: the inequality of the
arithmetic and the geometric mean), the second where the columns are orthogonal (Sec. 4.2: Eq. 28).
Rotations of the latent space change col_Π and leave vol as it is. The logarithm of the bound is linear
in P, so that in the problem over all points (Eqs. 18, 19) it does not matter how the budget is divided
among the points: its minimum is the sum of these logarithms for any division.

Where the paper's constants differ: Eqs. 25 and 26 read 24.5 e^(−C) and 52.4 e^(−C). With C as in Eq. 23,
C = Σ_j −log σ_j², the formula above gives e^(−C/2) for two latents; the paper's e^(−C) holds for
C = Σ_j −log σ_j, that is P = 2C, which is also how C counts in Eqs. 10 and 21.

Everything takes Jacobians [points, outputs, latents], or a factor R [points, latents, latents] of
J = QR in their place, and computes in float64.
"""

import numpy as np
from scipy.special import logsumexp

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.jacobians import with_checked_shape


def precision(sigma: np.ndarray) -> np.ndarray:
    """P = Σ_j −log σ_j² (left side of Eq. 23), [points], of standard deviations [points, latents].

    Raises:
        InputError: a standard deviation that is not finite and positive.
    """
    sigma = np.asarray(sigma, np.float64)
    if not (np.isfinite(sigma) & (sigma > 0)).all():
        raise InputError("sigma must be finite and positive everywhere.")
    return -2 * np.log(sigma).sum(axis=-1)


def precision_of_kl(kl: np.ndarray, means: np.ndarray) -> np.ndarray:
    """P for which L≈KL (Eq. 10, all latents active) has the value `kl`: 2 kl − ‖μ‖² + d.

    Args:
        kl: [points] or a number, C_i in Eq. 21.
        means: [points, latents], μ.
    """
    means = np.asarray(means, np.float64)
    return 2 * np.asarray(kl, np.float64) - np.sum(means**2, axis=-1) + means.shape[-1]


def log_column_product(jacobians: np.ndarray) -> np.ndarray:
    """log col_Π(J) = Σ_j log ‖J_j‖ (Eq. 27), [points]; −inf where a column is zero."""
    return _log_column_norms(jacobians).sum(axis=-1)


def log_volume(jacobians: np.ndarray) -> np.ndarray:
    """log of the volume that J makes of the unit cube (right side of Eq. 28), [points].

    The sum of the logarithms of J's singular values; −inf where columns are linearly dependent, as
    they always are with more latents than outputs.
    """
    jacobians = _checked(jacobians)
    points, outputs, latents = jacobians.shape
    if outputs < latents:
        return np.full(points, -np.inf)
    factors = np.linalg.qr(jacobians, mode="r")
    with np.errstate(divide="ignore"):
        return np.log(np.abs(np.diagonal(factors, axis1=1, axis2=2))).sum(axis=1)


def optimal_sigma(jacobians: np.ndarray, precision: np.ndarray | float) -> np.ndarray:
    """The σ [points, latents] of least linearized loss for given columns (Eqs. 22, 23).

    σ_j² = e^(−P/d) col_Π(J)^(2/d) / ‖J_j‖².

    Args:
        precision: P, [points] or a number.

    Raises:
        InputError: a column is zero; its latent would take noise without bound.
    """
    norms = _log_column_norms(jacobians)
    if not np.isfinite(norms).all():
        point, latent = np.argwhere(~np.isfinite(norms))[0]
        raise InputError(
            f"The decoder ignores latent {latent} at point {point}, so that no sigma is optimal: "
            "leave that latent out, as in jacobians[:, :, active]."
        )
    share = -np.asarray(precision, np.float64) / (2 * norms.shape[1])
    return np.exp(np.expand_dims(share, -1) + norms.mean(axis=1, keepdims=True) - norms)


def optimal_columns(jacobians: np.ndarray) -> np.ndarray:
    """J V = U S for J = U S Vᵀ: the same decoder after the rotation that makes its columns orthogonal.

    [points, outputs, latents], longest column first: a minimum over V in Theorem 2 and Eq. 27. Where the
    singular values are distinct, the others differ by signed permutations of the columns.
    """
    jacobians = _checked(jacobians)
    transposed = np.linalg.svd(jacobians, full_matrices=True)[2]
    return jacobians @ transposed.swapaxes(1, 2)


def log_linearized_loss(jacobians: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """log Σ_j σ_j² ‖J_j‖² (Eq. 17; the objective of Eq. 18 at a point), [points].

    Args:
        sigma: [points, latents].
    """
    return logsumexp(2 * (np.log(sigma) + _log_column_norms(jacobians)), axis=-1)


def log_least_loss(jacobians: np.ndarray, precision: np.ndarray | float) -> np.ndarray:
    """log of d e^(−P/d) col_Π(J)^(2/d), [points]: the least over σ, columns as they are (Eqs. 22 to 26).

    Args:
        precision: P, [points] or a number.
    """
    return _log_loss(jacobians, precision, log_column_product(jacobians))


def log_lower_bound(jacobians: np.ndarray, precision: np.ndarray | float) -> np.ndarray:
    """log of d e^(−P/d) vol(J)^(2/d), [points]: the least over σ and V (Eqs. 20, 21; Eq. 28).

    Summed over the points, with precisions of any given sum, it is the minimum of Eqs. 18 and 19.

    Args:
        precision: P, [points] or a number.
    """
    return _log_loss(jacobians, precision, log_volume(jacobians))


def _log_loss(jacobians, precision, log_product: np.ndarray) -> np.ndarray:
    latents = np.shape(jacobians)[-1]
    return np.log(latents) + (2 * log_product - np.asarray(precision, np.float64)) / latents


def _log_column_norms(jacobians: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(_checked(jacobians), axis=1))


def _checked(jacobians: np.ndarray) -> np.ndarray:
    jacobians = with_checked_shape(jacobians).astype(np.float64, copy=False)
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    if not finite.all():
        raise InputError(f"The Jacobian at point {int(np.argmin(finite))} is not finite.")
    return jacobians
