# SPDX-License-Identifier: Apache-2.0
"""Angles between the principal directions of data and the directions of latents (Sec. 2.3).

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment

from vae_ortho_plugin.errors import InputError

# Share of the largest variance below which data do not vary. The rounding of float32 data is at 1e-14.
_NO_VARIANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class PrincipalComponents:
    """PCA of data.

    Attributes:
        mean: [outputs].
        directions: [directions, outputs], orthogonal unit vectors, largest variance first.
        variances: [directions], positive.
        total_variance: along all directions of the data together.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    total_variance: float

    def scores(self, observations: np.ndarray) -> np.ndarray:
        """Coordinates [points, directions] of observations [points, ...]."""
        return (_flat(observations) - self.mean) @ self.directions.T


def principal_components(batches: Iterable[np.ndarray], at_most: int) -> PrincipalComponents:
    """The first principal components of data, those along which they vary, that come in batches.

    Args:
        batches: observations, [points, ...] each.
        at_most: how many components.

    Raises:
        InputError: no data, or data that do not vary or are not finite.
    """
    count, shift = 0, None
    for batch in batches:
        flat = _flat(batch)
        if shift is None:
            # Of data far from 0, the variance would be lost in the sum of squares.
            shift = flat.mean(axis=0)
            sums, squares = np.zeros(len(shift)), np.zeros((len(shift), len(shift)))
        flat = flat - shift
        count += len(flat)
        sums += flat.sum(axis=0)
        squares += flat.T @ flat
    if not count:
        raise InputError("PCA needs observations; got none.")
    covariance = squares / count - np.outer(sums, sums) / count**2
    if not np.isfinite(covariance).all():
        raise InputError("Some observations are not finite: there is no PCA of them.")
    outputs = len(covariance)
    first = [max(0, outputs - at_most), outputs - 1]
    variances, directions = (a.T[::-1] for a in eigh(covariance, subset_by_index=first))
    varying = variances > _NO_VARIANCE * variances[0]
    if not varying.any():
        raise InputError("All observations are the same: there are no principal directions.")
    return PrincipalComponents(
        mean=shift + sums / count,
        directions=directions[varying],
        variances=variances[varying],
        total_variance=float(np.trace(covariance)),
    )


def encoder_directions(scores: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The encoder's rows in the span of principal directions: [latents, directions].

    The linear map that best fits the means to the scores (least squares with a constant). Of a linear
    encoder on data that vary along these directions only, it is the encoder's very weights, in the
    directions' coordinates. Weights along a direction in which data do not vary are left out: nothing
    determines them.

    Args:
        scores: [points, directions], the data's coordinates.
        means: [points, latents], what the encoder makes of them.

    Raises:
        InputError: no more points than directions.
    """
    points, directions = scores.shape
    if points <= directions:
        raise InputError(
            f"{points} points do not determine the encoder along {directions} principal directions; "
            "take more."
        )
    design = np.hstack([scores, np.ones((points, 1))])
    return np.linalg.lstsq(design, means, rcond=None)[0][:directions].T


def matched_angles(principal: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles [directions] in degrees, 0 to 90, to candidates, and which candidate each one is to.

    Each principal direction has a candidate of its own, so that the sum of the angles is least.

    Args:
        principal: [directions, outputs], unit vectors.
        candidates: [latents, outputs], at least as many, of any length and sign; a zero one, which
            has no direction, counts as orthogonal to all.
    """
    norms = np.linalg.norm(candidates, axis=1, keepdims=True)
    units = np.divide(candidates, norms, out=np.zeros_like(norms * candidates), where=norms > 0)
    cosines = principal @ units.T
    # The arc cosine is inaccurate for small angles, where all the interest lies.
    rest = units[None] - cosines[:, :, None] * principal[:, None]
    sines = np.where(norms[:, 0] > 0, np.linalg.norm(rest, axis=2), 1)
    angles = np.degrees(np.arctan2(sines, np.abs(cosines)))
    rows, columns = linear_sum_assignment(angles)
    return angles[rows, columns], columns


def _flat(observations: np.ndarray) -> np.ndarray:
    return np.asarray(observations, np.float64).reshape(len(observations), -1)
