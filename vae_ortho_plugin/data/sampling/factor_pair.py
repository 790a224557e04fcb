# SPDX-License-Identifier: Apache-2.0
"""Two factors in [0, 1) that are not independent, or of which a corner of the square is missing."""

import numpy as np
from scipy.special import ndtr, ndtri

from vae_ortho_plugin.errors import InputError, check_between

_LEAST_POINTS = 10
_BELOW_1 = np.nextafter(1.0, 0.0)


def check_pair(correlation: float, held_out: float | None) -> None:
    """Checks what users set.

    Raises:
        InputError: the correlation is not between -1 and 1, or the corner not between 0 and 1.
    """
    check_between("correlation", correlation, -1, 1)
    if held_out is not None:
        check_between("held_out", held_out, 0, 1)


def correlated(uniform: np.ndarray, correlation: float) -> np.ndarray:
    """Factors [n, 2] with uniform marginals and a Gaussian copula.

    w1 = u1 and w2 = Φ(ρ Φ⁻¹(u1) + √(1 − ρ²) Φ⁻¹(u2)), where Φ is the standard normal distribution.
    The correlation of w1 and w2 is ρ' = 6/π asin(ρ/2).

    Args:
        uniform: u [n, 2], independent and uniform in [0, 1).
        correlation: ρ; at 0, w is u.
    """
    if correlation == 0:
        return uniform
    first, second = ndtri(uniform).T
    mixed = ndtr(correlation * first + np.sqrt(1 - correlation**2) * second)
    return np.stack([uniform[:, 0], np.minimum(mixed, _BELOW_1)], axis=1)


def outside_corner(factors: np.ndarray, held_out: float | None) -> np.ndarray:
    """Indices of the points [n, 2] that have a factor below `held_out`; of all for None.

    Raises:
        InputError: too few points are left for three splits.
    """
    if held_out is None:
        return np.arange(len(factors))
    left = np.flatnonzero((factors < held_out).any(axis=1))
    if len(left) < _LEAST_POINTS:
        raise InputError(
            f"held_out = {held_out} leaves {len(left)} of {len(factors):,} points: it holds out those "
            f"whose two factors are both at or above this share of their range. At least "
            f"{_LEAST_POINTS} are needed; take a larger number."
        )
    return left
