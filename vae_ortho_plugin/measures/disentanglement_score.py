# SPDX-License-Identifier: Apache-2.0
"""Disentanglement score: how much better one latent predicts a factor than the next best one.

Supplement B.1, Eqs. 65 to 70, of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError, check_whole
from vae_ortho_plugin.measures.shared.arrays import latent_indices, latent_table
from vae_ortho_plugin.measures.shared.factors import check_varies, checked_factors
from vae_ortho_plugin.measures.shared.results import Result

HELD_OUT = 0.2


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DisentanglementScore(Result):
    """Disentanglement score of a representation.

    Attributes:
        score: mean of factor_scores, in [0, 1].
        unclipped_score: mean of unclipped_factor_scores.
        factor_scores: [factors], each in [0, 1]: (best - second best) / normalizer over the
            latents, where a latent that predicts worse than the best constant counts as that one.
        unclipped_factor_scores: [factors], the same of score_matrix as it stands.
        headroom_score: mean of headroom_factor_scores, in [0, 1].
        headroom_factor_scores: [factors], each in [0, 1]: as factor_scores, with another normalizer for
            categorical factors, 1 - the accuracy of the best constant. That is what a perfect predictor
            has above the constant, as the standard deviation is for a continuous factor. With the paper's
            normalizer, a latent that knows class // 2 of ten equally frequent classes scores 1.0,
            and perfect knowledge of a factor with 90 % of one class 0.11; with this one 0.44 and 1.0.
        score_matrix: [latents, factors], s_kj: for a continuous factor its standard deviation less
            the root mean squared error, for a categorical one the accuracy.
        factor_names, factor_kinds: of each factor.
        num_points: number of points, fitted and held out together.
    """

    score: float
    unclipped_score: float
    factor_scores: NDArray[np.float64]
    unclipped_factor_scores: NDArray[np.float64]
    headroom_score: float
    headroom_factor_scores: NDArray[np.float64]
    score_matrix: NDArray[np.float64]
    factor_names: list[str]
    factor_kinds: list[str]
    num_points: int


def disentanglement_score(
    means: ArrayLike,
    factors: ArrayLike,
    factor_kinds: Sequence[str],
    seed: int = 0,
    num_neighbors: int = 5,
    factor_names: Sequence[str] | None = None,
    active: ArrayLike | None = None,
) -> DisentanglementScore:
    """Scores how well single latents align with single generating factors (Eqs. 65 to 70).

    Each factor is predicted from each latent alone by its nearest neighbours, fitted to a random
    80 % of the points and judged on the other 20 %. The normalizer is the score of the best constant
    on those: the standard deviation of a continuous factor, the accuracy of the most frequent class
    of a categorical one. Every continuous factor is treated as a number on a line, also an angle.

    A factor seen by one latent only scores 1, one seen by two latents alike scores 0:

    >>> shapes = [[("circle", "square", "heart")[i % 3]] for i in range(60)]
    >>> one = [[i % 3, 0] for i in range(60)]
    >>> disentanglement_score(one, shapes, ["categorical"]).score
    1.0
    >>> two = [[i % 3, i % 3] for i in range(60)]
    >>> disentanglement_score(two, shapes, ["categorical"]).score
    0.0

    Args:
        means: posterior means, [points, latents], at least two latents.
        factors: [points, factors]; numbers, or for a categorical factor its classes, which may be
            strings.
        factor_kinds: "continuous" or "categorical" for each factor, or one of them for all.
        seed: of the 80/20 split.
        num_neighbors: k of the nearest-neighbour regressor or classifier.
        factor_names: for the result and messages; "factor 0", ... if left out.
        active: indices of the latents to take, at least two; all by default.

    Raises:
        InputError: shapes, lengths or kinds that do not fit, values that are not finite, strings in
            a continuous factor, too few points or latents, a factor that does not vary.
    """
    latents = latent_table("means", means)
    codes = latents[:, latent_indices(active, latents.shape[1])]
    points = len(codes)
    check_whole("seed", seed)
    check_whole("num_neighbors", num_neighbors, 1)
    columns, kinds, names = checked_factors(factors, factor_kinds, points, factor_names)
    num_held_out = round(HELD_OUT * points)
    if codes.shape[1] < 2:
        raise InputError(
            f"The disentanglement score compares the best latent with the second best; got "
            f"{codes.shape[1]} latents, it needs at least 2."
        )
    if points - num_held_out < num_neighbors or not num_held_out:
        raise InputError(
            f"{points} points are too few: {num_neighbors} neighbours are taken among 80 % of them "
            "and judged on the other 20 %."
        )
    order = np.random.default_rng(seed).permutation(points)
    held_out, fitted = np.split(order, [num_held_out])
    predictors = []
    for column, kind, name in zip(columns, kinds, names, strict=True):
        predictor = _Factor(column[fitted], column[held_out], kind == "continuous")
        check_varies(predictor.varies, kind, name, column[held_out[0]])
        predictors.append(predictor)
    matrix = np.empty((codes.shape[1], len(predictors)))
    for j, latent in enumerate(codes.T):
        neighbors = nearest_neighbors(latent[fitted], latent[held_out], num_neighbors)
        matrix[j] = [predictor.score(neighbors) for predictor in predictors]

    normalizers = np.array([p.normalizer for p in predictors])
    floors = np.array([p.constant_score for p in predictors])
    gaps = _gap(np.maximum(matrix, floors))
    unclipped = _gap(matrix) / normalizers
    clipped = np.clip(gaps / normalizers, 0, 1)
    headrooms = np.array([p.perfect_score for p in predictors]) - floors
    # Where the held-out points have one class only, no latent is better than the constant.
    of_headroom = np.divide(gaps, headrooms, out=np.zeros_like(gaps), where=headrooms > 0)
    return DisentanglementScore(
        score=float(clipped.mean()),
        unclipped_score=float(unclipped.mean()),
        factor_scores=clipped,
        unclipped_factor_scores=unclipped,
        headroom_score=float(of_headroom.mean()),
        headroom_factor_scores=of_headroom,
        score_matrix=matrix,
        factor_names=names,
        factor_kinds=kinds,
        num_points=points,
    )


def nearest_neighbors(
    fitted: NDArray[np.float64], queries: NDArray[np.float64], num: int
) -> NDArray[np.intp]:
    """Indices [queries, num] of the points of fitted nearest to each query, on the line.

    Args:
        fitted: [points], at least num of them.
        queries: [queries].
    """
    # The nearest num of the sorted points lie within num places of the query's own place. For one
    # latent and 70,000 points this takes milliseconds, a tree takes seconds.
    order = np.argsort(fitted, kind="stable")
    places = np.searchsorted(fitted[order], queries)[:, None] + np.arange(-num, num)
    outside = (places < 0) | (places >= len(fitted))
    places = np.clip(places, 0, len(fitted) - 1)
    distances = np.abs(fitted[order][places] - queries[:, None])
    distances[outside] = np.inf
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :num]
    return np.asarray(order[np.take_along_axis(places, nearest, axis=1)])


class _Factor:
    """One factor's values on the fitted and the held-out points.

    Args:
        fitted: [fitted points], numbers, or classes as numbers.
        held_out: [held-out points], the same.
        continuous: whether the factor is a number, not a class.
    """

    def __init__(
        self, fitted: NDArray[np.float64], held_out: NDArray[np.float64], continuous: bool
    ):
        self._fitted, self._held_out, self._continuous = fitted, held_out, continuous
        if continuous:
            self.normalizer, self.constant_score = float(np.std(held_out)), 0.0
            self.perfect_score = self.normalizer
            # The standard deviation of equal numbers may be a rounding error, that of numbers
            # below 1e-160 is 0.
            self.varies = bool(np.ptp(held_out) > 0) and self.normalizer > 0
        else:
            counts = np.unique(held_out, return_counts=True)[1]
            self.normalizer = self.constant_score = float(counts.max() / len(held_out))
            self.perfect_score, self.varies = 1.0, True

    def score(self, neighbors: NDArray[np.intp]) -> float:
        """s_kj for the neighbours [held-out points, k], as indices of fitted points."""
        values = self._fitted[neighbors]
        if self._continuous:
            errors = values.mean(axis=1) - self._held_out
            return self.normalizer - float(np.sqrt(np.mean(errors**2)))
        values.sort(axis=1)  # of the most frequent classes, the smallest
        votes = (values[:, :, None] == values[:, None, :]).sum(axis=2)
        predicted = values[np.arange(len(values)), votes.argmax(axis=1)]
        return float(np.mean(predicted == self._held_out))


def _gap(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    ranked = np.sort(matrix, axis=0)
    return np.asarray(ranked[-1] - ranked[-2])
