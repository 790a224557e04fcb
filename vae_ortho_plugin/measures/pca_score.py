# SPDX-License-Identifier: Apache-2.0
"""How well the data's own principal components are disentangled; no model is involved.

By Sec. 2.3 and Theorem 2 of Rolinek et al., CVPR 2019, the latents of a linear model with orthogonal
columns are the principal components. Their score is what such a model can reach.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from vae_ortho_plugin.errors import InputError, check_whole
from vae_ortho_plugin.measures.disentanglement_score import score_of_columns
from vae_ortho_plugin.measures.pca_alignment import (
    flat_observations,
    linear_map,
    matched_angles,
    principal_components,
)
from vae_ortho_plugin.measures.shared.arrays import Floats
from vae_ortho_plugin.measures.shared.factors import checked_factors
from vae_ortho_plugin.measures.shared.results import Result

# Degrees. Two orthogonal pairs of directions in a plane are at most 45 degrees apart on average.
AGREEMENT = 22.5
# The distance of two classes of a factor, in standard deviations of a continuous one.
_OTHER_CLASS = 1e6


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PcaScore(Result):
    """What the principal components say about the generating factors.

    Attributes:
        score: disentanglement score of the principal components, in [0, 1].
        factor_scores: [factors], the same of each factor.
        factor_angle: mean of factor_angles over the continuous factors, in degrees, 0 to 90; NaN
            without continuous factors.
        factor_angles: [factors], between the direction in which the observations move with a
            continuous factor (its column of the linear map that least squares fits from all
            continuous factors to the observations) and the principal direction that is matched to
            it, so that the sum of the angles is least. NaN for a categorical factor.
        local_agreement: share of the local points at which the mean of the local factor angles is
            below AGREEMENT = 22.5 degrees; NaN with fewer than two continuous factors.
        local_angle: mean over the local points of that mean; NaN likewise.
        explained_variance: [components], shares of the data's variance, the largest first.
        num_points, num_local_points: how many points the two parts are computed from.
    """

    score: float
    factor_scores: Floats
    factor_angle: float
    factor_angles: Floats
    local_agreement: float
    local_angle: float
    explained_variance: Floats
    num_points: int
    num_local_points: int


def pca_score(
    observations: ArrayLike,
    factors: ArrayLike,
    factor_kinds: Sequence[str],
    seed: int = 0,
    num_neighbors: int = 5,
    factor_names: Sequence[str] | None = None,
    local_points: int = 200,
    local_neighbors: int = 50,
) -> PcaScore:
    """Scores the principal components of observations, as many as there are factors.

    The local angles are those at single points: the linear map from the continuous factors, each
    divided by its standard deviation, to the observations is fitted by least squares to the point's
    nearest neighbours in these factors; its left singular vectors are the principal directions of a
    round neighbourhood, and its columns the factors' directions. (The neighbours' own covariance would
    depend on the neighbourhood's shape.)

    A rectangle along the axes has the factors as principal components, one that is turned by 45
    degrees before it is stretched does not:

    >>> factors = [[i, j] for i in range(20) for j in range(20)]
    >>> aligned = pca_score([[2 * i, j] for i, j in factors], factors, ["continuous"] * 2)
    >>> aligned.score > 0.7, round(aligned.factor_angle, 6), aligned.local_agreement
    (True, 0.0, 1.0)
    >>> turned = pca_score([[2 * (i - j), i + j] for i, j in factors], factors, ["continuous"] * 2)
    >>> turned.score < 0.3, round(turned.factor_angle, 6), turned.local_agreement
    (True, 45.0, 0.0)

    Args:
        observations: [points, ...], at least two numbers each.
        factors, factor_kinds, num_neighbors, factor_names: as of `disentanglement_score`, at least two factors.
        seed: of the disentanglement score's split and of the local points.
        local_points: number of points for the local angles; all if there are fewer.
        local_neighbors: number of neighbours of each, more than there are factors.

    Raises:
        InputError: as `disentanglement_score`; fewer than two factors or directions in which the observations
            vary, too few neighbours, or more than there are points.
    """
    images = flat_observations("observations", observations)
    columns, kinds, names = checked_factors(factors, factor_kinds, len(images), factor_names)
    if len(columns) < 2:
        raise InputError(
            "The PCA score compares principal components, as many as there are factors: factors must "
            "have the shape [points, factors] with at least 2 factors; got 1."
        )
    pca = principal_components([images], at_most=len(columns))
    if len(pca.directions) < 2:
        raise InputError(
            "The observations vary along one direction only, so that there are no two principal "
            "components to compare."
        )
    result = score_of_columns(pca.scores(images), columns, kinds, names, seed, num_neighbors)
    values = np.stack(columns, axis=1)
    continuous = [k for k, kind in enumerate(kinds) if kind == "continuous"]
    numbers = values[:, continuous]
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    angles = np.full(values.shape[1], np.nan)
    if continuous:
        angles[continuous] = _factor_angles(pca.directions, linear_map(numbers, images))
    local = np.zeros(0)
    if len(continuous) > 1:
        classes = np.delete(values, continuous, axis=1) * _OTHER_CLASS
        local = _local_angles(images, numbers, classes, seed, local_points, local_neighbors)
    return PcaScore(
        score=result.score,
        factor_scores=result.factor_scores,
        factor_angle=float(np.mean(angles[continuous])) if continuous else np.nan,
        factor_angles=angles,
        local_agreement=float(np.mean(local < AGREEMENT)) if local.size else np.nan,
        local_angle=float(np.mean(local)) if local.size else np.nan,
        explained_variance=pca.variances / pca.total_variance,
        num_points=len(images),
        num_local_points=len(local),
    )


def _factor_angles(principal: Floats, slopes: Floats) -> Floats:
    """Degrees [factors] between each factor's slope and its principal direction; 90 without one, or of slope 0."""
    missing = max(0, len(principal) - len(slopes))
    found = matched_angles(principal, np.pad(slopes, ((0, missing), (0, 0))))
    angles = np.full(len(slopes) + missing, 90.0)
    angles[found.matched] = found.angles
    return angles[: len(slopes)]


def _local_angles(
    images: Floats,
    factors: Floats,
    classes: Floats,
    seed: int,
    local_points: int,
    local_neighbors: int,
) -> Floats:
    """Mean angle at each local point whose neighbours have its classes and vary in all factors."""
    check_whole("local_points", local_points, 1)
    check_whole("local_neighbors", local_neighbors, factors.shape[1] + 1)
    if local_neighbors > len(images):
        raise InputError(
            f"local_neighbors = {local_neighbors}, but there are {len(images)} points."
        )
    places = np.hstack([factors, classes])
    order = np.random.default_rng(seed).permutation(len(images))[:local_points]
    found = cKDTree(places).query(places[order], local_neighbors)
    distances, nearest = (np.asarray(part) for part in found)
    angles = []
    for points in nearest[distances[:, -1] < _OTHER_CLASS / 2]:
        if (np.ptp(factors[points], axis=0) > 0).all():
            slopes = linear_map(factors[points], images[points])
            if np.linalg.norm(slopes) > 0:
                principal = np.linalg.svd(slopes.T, full_matrices=False)[0].T
                angles.append(float(np.mean(_factor_angles(principal, slopes))))
    return np.array(angles)
