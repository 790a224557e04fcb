# SPDX-License-Identifier: Apache-2.0
"""How much better one latent predicts a factor than the next best one, Supp. B.1 of Rolinek et al., CVPR 2019."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError, check_whole
from vae_ortho_plugin.measures.shared.arrays import Floats, chosen_latents
from vae_ortho_plugin.measures.shared.factors import check_varies, checked_factors
from vae_ortho_plugin.measures.shared.results import Result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DisentanglementScore(Result):
    """Disentanglement score of a representation.

    Attributes:
        score, unclipped_score, headroom_score: means over the factors.
        factor_scores: [factors], each in [0, 1]: (best - second best) / normalizer over the
            latents, where a latent that predicts worse than the best constant counts as that one.
        unclipped_factor_scores: [factors], the same of score_matrix as it stands.
        headroom_factor_scores: [factors], each in [0, 1]: as factor_scores, but of a categorical factor divided
            by 1 - the accuracy of the best constant, which a perfect predictor has above it. With the paper's
            normalizer, a latent that knows class // 2 of ten equally frequent classes scores 1.0,
            and perfect knowledge of a factor with 90 % of one class 0.11; with this one 0.44 and 1.0.
        score_matrix: [latents, factors], s_kj: for a continuous factor its standard deviation less
            the root mean squared error, for a categorical one the accuracy.
        factor_names, factor_kinds: of each factor.
        num_points: number of points, fitted and held out together.
    """

    score: float
    unclipped_score: float
    factor_scores: Floats
    unclipped_factor_scores: Floats
    headroom_score: float
    headroom_factor_scores: Floats
    score_matrix: Floats
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
    80 % of the points and judged on the other 20 %. The normalizer is the standard deviation of a
    continuous factor on those, a number on a line even if it is an angle, or the accuracy of the best
    constant for a categorical one.

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
    latents, _ = chosen_latents(means, active)
    checked = checked_factors(factors, factor_kinds, len(latents), factor_names)
    return score_of_columns(latents, *checked, seed, num_neighbors)


def score_of_columns(
    latents: Floats,
    columns: list[Floats],
    kinds: list[str],
    names: list[str],
    seed: int,
    num_neighbors: int,
) -> DisentanglementScore:
    """`disentanglement_score` of latents [points, latents] and of what `checked_factors` returns."""
    points = len(latents)
    check_whole("seed", seed)
    check_whole("num_neighbors", num_neighbors, 1)
    num_held_out = round(0.2 * points)
    if latents.shape[1] < 2:
        raise InputError(
            f"The disentanglement score compares the best latent with the second best; got "
            f"{latents.shape[1]} latents, it needs at least 2."
        )
    if points - num_held_out < num_neighbors or not num_held_out:
        raise InputError(
            f"{points} points are too few: {num_neighbors} neighbours are taken among 80 % of them "
            "and judged on the other 20 %."
        )
    order = np.random.default_rng(seed).permutation(points)
    held_out, fitted = np.split(order, [num_held_out])
    neighbors = [nearest_neighbors(z[fitted], z[held_out], num_neighbors) for z in latents.T]
    parts = [
        _of_factor(column[fitted], column[held_out], kind, name, neighbors)
        for column, kind, name in zip(columns, kinds, names, strict=True)
    ]
    matrix = np.stack([scores for scores, _ in parts], axis=1)
    normalizers, floors, perfect = np.transpose([constants for _, constants in parts])
    gaps = _gap(np.maximum(matrix, floors))
    unclipped = _gap(matrix) / normalizers
    clipped = np.clip(gaps / normalizers, 0, 1)
    headrooms = perfect - floors
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


def nearest_neighbors(fitted: Floats, queries: Floats, num: int) -> NDArray[np.intp]:
    """Indices [queries, num] of the points of fitted, at least num, nearest to each query on the line."""
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


def _of_factor(
    fitted: Floats, held_out: Floats, kind: str, name: str, neighbors: list[NDArray[np.intp]]
) -> tuple[list[float], tuple[float, float, float]]:
    """s_kj of each latent's neighbours [held-out points, k]; normalizer, best constant's and perfect score."""
    if kind == "continuous":
        deviation = float(np.std(held_out))
        # The standard deviation of equal numbers may be a rounding error, that of numbers below 1e-160 is 0.
        varies = bool(np.ptp(held_out) > 0) and deviation > 0
        check_varies(varies, kind, name, held_out[0], "held-out points")
        errors = (fitted[nearest].mean(axis=1) - held_out for nearest in neighbors)
        scores = [deviation - float(np.sqrt(np.mean(error**2))) for error in errors]
        return scores, (deviation, 0.0, deviation)
    scores = []
    for nearest in neighbors:
        values = np.sort(fitted[nearest], axis=1)  # of the most frequent classes, the smallest
        votes = (values[:, :, None] == values[:, None, :]).sum(axis=2)
        predicted = values[np.arange(len(values)), votes.argmax(axis=1)]
        scores.append(float(np.mean(predicted == held_out)))
    share = float(np.unique(held_out, return_counts=True)[1].max() / len(held_out))
    return scores, (share, share, 1.0)


def _gap(matrix: Floats) -> Floats:
    ranked = np.sort(matrix, axis=0)
    return np.asarray(ranked[-1] - ranked[-2])
