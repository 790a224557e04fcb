# SPDX-License-Identifier: Apache-2.0
"""Angles between data's principal directions and those of latents, Sec. 2.3 of Rolinek et al., CVPR 2019."""

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment

from vae_ortho_plugin.errors import InputError, check_whole
from vae_ortho_plugin.measures.shared.arrays import Floats, float_array
from vae_ortho_plugin.measures.shared.results import Result

# Share of the largest variance below which data do not vary. The rounding of float32 data is at 1e-14.
_NO_VARIANCE = 1e-10


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PrincipalComponents(Result):
    """PCA of data.

    Attributes:
        mean: [outputs].
        directions: [directions, outputs], orthogonal unit vectors, largest variance first.
        variances: [directions], positive.
        total_variance: along all directions of the data together.
    """

    mean: Floats
    directions: Floats
    variances: Floats
    total_variance: float

    def scores(self, observations: ArrayLike) -> Floats:
        """Coordinates [points, directions] of observations [points, ...].

        Raises:
            InputError: observations of another size, or a value that is not finite.
        """
        flat = flat_observations("observations", observations)
        if flat.shape[1] != len(self.mean):
            raise InputError(
                f"The principal directions are those of observations of {len(self.mean)} numbers; "
                f"these have {flat.shape[1]}."
            )
        return (flat - self.mean) @ self.directions.T


def principal_components(batches: Iterable[ArrayLike], at_most: int) -> PrincipalComponents:
    """The first principal components of data that come in batches, as far as the data vary.

    Four points with the variance 2 along the first axis and 1/2 along the second:

    >>> pca = principal_components([[[2, 0], [-2, 0]], [[0, 1], [0, -1]]], at_most=2)
    >>> abs(pca.directions).tolist(), pca.variances.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [2.0, 0.5])

    Args:
        batches: observations, [points, ...] each. For a single array, pass [array].
        at_most: how many components, at least 1.

    Raises:
        InputError: no data, batches of different sizes, or data that do not vary or are not finite.
    """
    check_whole("at_most", at_most, 1)
    count, sums, squares = 0, np.zeros(0), np.zeros((0, 0))
    for n, batch in enumerate(batches):
        flat = flat_observations(f"batches[{n}]", batch)
        if not count:
            # Far from 0, the variance would be lost in the sum of squares.
            shift = flat.mean(axis=0)
            sums, squares = np.zeros_like(shift), np.zeros((len(shift), len(shift)))
        elif flat.shape[1] != len(shift):
            raise InputError(
                f"batches[{n}] has observations of {flat.shape[1]} numbers, the first one of "
                f"{len(shift)}."
            )
        flat = flat - shift
        count += len(flat)
        sums += flat.sum(axis=0)
        squares += flat.T @ flat
    if not count:
        raise InputError("PCA needs observations; got none.")
    covariance = squares / count - np.outer(sums, sums) / count**2
    outputs = len(covariance)
    values, vectors = eigh(covariance, subset_by_index=(max(0, outputs - at_most), outputs - 1))
    variances, directions = values[::-1], vectors.T[::-1]
    varying = variances > _NO_VARIANCE * variances[0]
    if not varying.any():
        raise InputError("All observations are the same: there are no principal directions.")
    return PrincipalComponents(
        mean=shift + sums / count,
        directions=directions[varying],
        variances=variances[varying],
        total_variance=float(np.trace(covariance)),
    )


def encoder_directions(scores: ArrayLike, means: ArrayLike) -> Floats:
    """The encoder's rows in the span of principal directions: [latents, directions].

    The linear map that best fits the means to the scores (least squares with a constant). For a linear
    encoder and data that vary along these directions only, these are the encoder's own weights, in the
    coordinates of the directions.

    >>> encoder_directions([[0.0], [1.0], [2.0]], [[1.0], [4.0], [7.0]]).round(9).tolist()
    [[3.0]]

    Args:
        scores: [points, directions], the data's coordinates.
        means: [points, latents], the encoder's means of the same points.

    Raises:
        InputError: shapes that do not fit, a value that is not finite, or no more points than directions.
    """
    coordinates, targets = float_array("scores", scores), float_array("means", means)
    if coordinates.ndim != 2 or targets.ndim != 2 or len(coordinates) != len(targets):
        raise InputError(
            "scores and means must have the shapes [points, directions] and [points, latents]; got "
            f"{coordinates.shape} and {targets.shape}."
        )
    points, directions = coordinates.shape
    if points <= directions:
        raise InputError(
            f"{points} points do not determine the encoder along {directions} principal directions; "
            "take more."
        )
    return linear_map(coordinates, targets).T


def linear_map(inputs: Floats, outputs: Floats) -> Floats:
    """[inputs, outputs] of the linear map, with a constant, that best fits inputs [points, inputs] to outputs."""
    design = np.hstack([inputs, np.ones((len(inputs), 1))])
    return np.asarray(np.linalg.lstsq(design, outputs, rcond=None)[0][:-1])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MatchedAngles(Result):
    """Angles between principal directions and the latents that they are matched with.

    Attributes:
        mean: of angles, in degrees; NaN without directions.
        angles: [directions], in degrees, 0 to 90.
        matched: [directions], index of each direction's latent.
    """

    mean: float
    angles: Floats
    matched: NDArray[np.intp]


def matched_angles(principal: ArrayLike, candidates: ArrayLike) -> MatchedAngles:
    """Angles between principal directions and candidates matched to them, so that the sum of the angles is least.

    >>> found = matched_angles([[1, 0], [0, 1]], [[-1, 3**0.5], [3**0.5, 1]])
    >>> found.angles.round(9).tolist(), found.matched.tolist()
    ([30.0, 30.0], [1, 0])

    Args:
        principal: [directions, outputs], of any length but 0.
        candidates: [latents, outputs], at least as many, of any length and sign; a zero one, which
            has no direction, counts as orthogonal to all.

    Raises:
        InputError: shapes that do not fit, fewer candidates than directions, a principal direction
            of length 0, or a value that is not finite.
    """
    axes, units = _units("principal", principal), _units("candidates", candidates)
    if axes.shape[1] != units.shape[1] or len(axes) > len(units):
        raise InputError(
            "principal and candidates must have the shapes [directions, outputs] and [latents, outputs] "
            f"with at least as many latents as directions; got {axes.shape} and {units.shape}."
        )
    if not axes.any(axis=1).all():
        raise InputError(f"principal[{int(np.argmin(axes.any(axis=1)))}] has the length 0.")
    cosines = axes @ units.T
    # The arc cosine is inaccurate for small angles, which matter most here.
    rest = units[None] - cosines[:, :, None] * axes[:, None]
    sines = np.where(units.any(axis=1), np.linalg.norm(rest, axis=2), 1)
    degrees = np.degrees(np.arctan2(sines, np.abs(cosines)))
    rows, columns = linear_sum_assignment(degrees)
    angles = degrees[rows, columns]
    return MatchedAngles(float(angles.mean()) if angles.size else float("nan"), angles, columns)


def _units(name: str, vectors: ArrayLike) -> Floats:
    """The rows at length 1, or 0 where they are zero."""
    rows = float_array(name, vectors)
    if rows.ndim != 2:
        raise InputError(f"{name} must have the shape [vectors, outputs]; got {rows.shape}.")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Floats = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return units


def flat_observations(name: str, observations: ArrayLike) -> Floats:
    """[points, outputs] in float64 of observations [points, ...]."""
    array = float_array(name, observations, booleans=True)
    if array.ndim < 2 or not array.size:
        raise InputError(
            f"{name} must have the shape [points, ...] with at least two dimensions, none of them 0; "
            f"got {array.shape}. (PCA of one array takes it as [array].)"
        )
    return array.reshape(len(array), -1)
