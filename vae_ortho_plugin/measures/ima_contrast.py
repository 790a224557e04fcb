# SPDX-License-Identifier: Apache-2.0
"""How far a decoder's columns are from orthogonal, by their volume: the contrast of independent mechanism analysis.

Gresele et al.: Independent mechanism analysis, a new concept? NeurIPS 2021. Reizinger et al.: Embrace the
Gap: VAEs Perform Independent Mechanism Analysis, NeurIPS 2022.
"""

import numpy as np
from numpy.typing import ArrayLike

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.optimum import log_column_product, log_volume
from vae_ortho_plugin.measures.shared.arrays import log_excess, number
from vae_ortho_plugin.measures.shared.jacobians import small_jacobians
from vae_ortho_plugin.measures.shared.results import OverPoints


def ima_contrast(jacobians: ArrayLike, active: ArrayLike | None = None) -> OverPoints:
    """½ (Σ_j log G_jj − log det G) for G = JᵀJ at each point, at least 0, in nats.

    0 exactly where the columns are orthogonal, infinite where they are linearly dependent or one is
    zero. It does not depend on the column norms. It is d/2 times the columns part of the
    `precision_gap` of d latents.

    With the M1 of Eq. 24 it is log(150 / 134) / 2:

    >>> ima_contrast([[[4, 1], [-3, 1], [5, -1]]]).per_point.round(4).tolist()
    [0.0564]

    Args:
        jacobians: [points, outputs, latents], of the decoder at the posterior means.
        active: indices of the latents to take; all by default.

    Raises:
        InputError: wrong shape, no real numbers, or a Jacobian that is not finite.
    """
    small = small_jacobians(jacobians, active)
    return OverPoints(log_excess(log_column_product(small), log_volume(small)))


def regularized_ima_contrast(
    jacobians: ArrayLike, beta: float, active: ArrayLike | None = None
) -> OverPoints:
    """½ (Σ_j log P_jj − log det P) for P = I + 2 JᵀJ / β at each point, at least 0, in nats.

    P is the precision of the best Gaussian posterior of a β-VAE with the squared error whose decoder
    is linearized. For another loss, multiply row i of each Jacobian by √(h_i/2), h_i the loss's second
    derivative by output i: 1/(p(1 − p)) for the cross-entropy of a probability p. β times this contrast is
    what a diagonal posterior costs more than a full one. It is finite with passive latents, whose columns
    are short against sqrt(β): they count little. For β to 0 it is the `ima_contrast`.

    >>> regularized_ima_contrast([[[4, 1], [-3, 1], [5, -1]]], beta=1e-6).per_point.round(4).tolist()
    [0.0564]
    >>> regularized_ima_contrast([[[4, 0], [-3, 0], [5, 0]]], beta=1.0).per_point.tolist()
    [0.0]

    Args:
        jacobians, active: as of `ima_contrast`.
        beta: β, positive.

    Raises:
        InputError: as `ima_contrast`, or a β that is not positive.
    """
    small = small_jacobians(jacobians, active)
    scale = np.sqrt(2 / number("beta", beta, positive=True))
    points, _, latents = small.shape
    identity = np.broadcast_to(np.eye(latents), (points, latents, latents))
    # The Gram matrix of these columns is P; forming P itself would lose passive latents in rounding.
    columns = np.concatenate([small * scale, identity], axis=1)
    return OverPoints(log_excess(log_column_product(columns), log_volume(columns)))


def mean_abs_cosine(jacobians: ArrayLike, active: ArrayLike | None = None) -> OverPoints:
    """Mean of |cos(J_i, J_j)| over the pairs i < j of columns at each point, in [0, 1].

    A zero column, which has no direction, counts as orthogonal to all.

    >>> mean_abs_cosine([[[2, 3], [0, 3]]]).per_point.round(4).tolist()
    [0.7071]

    Args:
        jacobians: [points, outputs, latents].
        active: indices of the latents to take, at least two; all by default.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, or one latent only.
    """
    small = small_jacobians(jacobians, active)
    latents = small.shape[2]
    if latents < 2:
        raise InputError("Cosines between columns need Jacobians of at least 2 latents; got 1.")
    norms = np.linalg.norm(small, axis=1, keepdims=True)
    units = np.divide(small, norms, out=np.zeros_like(small), where=norms > 0)
    first, second = np.triu_indices(latents, 1)
    cosines = np.einsum("pok,pok->pk", units[:, :, first], units[:, :, second])
    return OverPoints(np.minimum(np.abs(cosines), 1).mean(axis=1))
