# SPDX-License-Identifier: Apache-2.0
"""Where singular values of Jacobians coincide, so that V, and DtO with it, is arbitrary."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.jacobians import triangular_factors

# Of neighbouring singular values: below this ratio, a change of J by 5 % can turn V by any angle.
NEARLY_EQUAL = 1.05


def singular_value_ratios(jacobians: ArrayLike) -> NDArray[np.float64]:
    """σ_k / σ_{k+1} of each Jacobian's singular values, largest first: [points, latents − 1], at least 1.

    Infinite where σ_{k+1} is 0. A ratio of 1 leaves V, of J = U S Vᵀ, and so DtO undetermined in the
    plane of the two.

    >>> singular_value_ratios([[[3, 0], [0, 2], [0, 0]]]).round(6).tolist()
    [[1.5]]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents >= 2.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, or one latent only.
    """
    factors = triangular_factors(jacobians)
    if factors.shape[2] < 2:
        raise InputError("Ratios of singular values need Jacobians of at least 2 latents; got 1.")
    values = np.linalg.svd(factors, compute_uv=False)
    ratios = np.full_like(values[:, 1:], np.inf)
    np.divide(values[:, :-1], values[:, 1:], out=ratios, where=values[:, 1:] > 0)
    return ratios


def share_nearly_equal(ratios: NDArray[np.float64]) -> float:
    """Share of points, 0 to 1, where some ratio [points, latents − 1] is below NEARLY_EQUAL."""
    return float(np.mean((ratios < NEARLY_EQUAL).any(axis=1)))
