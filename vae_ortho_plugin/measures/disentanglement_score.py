# SPDX-License-Identifier: Apache-2.0
"""Disentanglement score: how much better one latent predicts a factor than the next best one.

Supplement B.1, Eqs. 65 to 70, of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from vae_ortho_plugin.errors import InputError

KINDS = ("continuous", "categorical")
HELD_OUT = 0.2


@dataclasses.dataclass(frozen=True)
class DisentanglementResult:
    """Disentanglement score of a representation.

    Attributes:
        disentanglement_score: mean of factor_scores, in [0, 1].
        unclipped_score: mean of unclipped_factor_scores.
        factor_scores: [factors], each in [0, 1]: (best - second best) / normalizer over the
            latents, where a latent that predicts worse than the best constant counts as that one.
        unclipped_factor_scores: [factors], the same of score_matrix as it stands.
        score_matrix: [latents, factors], s_kj: for a continuous factor its standard deviation less
            the root mean squared error, for a categorical one the accuracy.
        factor_names, factor_kinds: of each factor.
        num_points: number of points, fitted and held out together.
    """

    disentanglement_score: float
    unclipped_score: float
    factor_scores: np.ndarray
    unclipped_factor_scores: np.ndarray
    score_matrix: np.ndarray
    factor_names: list[str]
    factor_kinds: list[str]
    num_points: int


def disentanglement_score(
    latents: np.ndarray,
    factors: np.ndarray,
    factor_kinds: Sequence[str],
    seed: int = 0,
    num_neighbors: int = 5,
    factor_names: Sequence[str] | None = None,
) -> DisentanglementResult:
    """Scores how well single latents align with single generating factors (Eqs. 65 to 70).

    Each factor is predicted from each latent alone by its nearest neighbours, fitted to a random
    80 % of the points and judged on the other 20 %. The normalizer is what the best constant
    leaves on those: the standard deviation of a continuous factor, the accuracy of the most
    frequent class of a categorical one. All of a factor's values count as points on a line, also
    those of an angle.

    Args:
        latents: [points, latents], at least two latents.
        factors: [points, factors], numbers; for a categorical factor, its classes.
        factor_kinds: "continuous" or "categorical" for each factor.
        seed: of the 80/20 split.
        num_neighbors: k of the nearest-neighbour regressor or classifier.
        factor_names: for the result and messages; "factor 0", ... if left out.

    Raises:
        InputError: shapes, lengths or kinds that do not fit, values that are not finite, too few
            points or latents, a factor that does not vary.
    """
    latents, factors = np.asarray(latents, np.float64), np.asarray(factors, np.float64)
    if factor_names is None and factors.ndim == 2:
        factor_names = [f"factor {k}" for k in range(factors.shape[1])]
    _check(latents, factors, factor_kinds, factor_names, num_neighbors)
    points = len(latents)
    order = np.random.default_rng(seed).permutation(points)
    held_out, fitted = np.split(order, [round(HELD_OUT * points)])

    predictors = [
        _Factor(factors[fitted, k], factors[held_out, k], kind, name)
        for k, (kind, name) in enumerate(zip(factor_kinds, factor_names, strict=True))
    ]
    matrix = np.empty((latents.shape[1], len(predictors)))
    for j, latent in enumerate(latents.T):
        neighbors = nearest_neighbors(latent[fitted], latent[held_out], num_neighbors)
        matrix[j] = [predictor.score(neighbors) for predictor in predictors]

    normalizers = np.array([p.normalizer for p in predictors])
    floors = np.array([p.constant_score for p in predictors])
    unclipped = _gap(matrix) / normalizers
    clipped = np.clip(_gap(np.maximum(matrix, floors)) / normalizers, 0, 1)
    return DisentanglementResult(
        disentanglement_score=float(clipped.mean()),
        unclipped_score=float(unclipped.mean()),
        factor_scores=clipped,
        unclipped_factor_scores=unclipped,
        score_matrix=matrix,
        factor_names=list(factor_names),
        factor_kinds=list(factor_kinds),
        num_points=points,
    )


def nearest_neighbors(fitted: np.ndarray, queries: np.ndarray, num: int) -> np.ndarray:
    """Indices [queries, num] of the points of fitted nearest to each query, on the line.

    Args:
        fitted: [points], at least num of them.
        queries: [queries].
    """
    # Of the sorted points, the nearest num lie within num places of where the query belongs. Latent
    # by latent this takes milliseconds for 70,000 points, a tree some seconds.
    order = np.argsort(fitted, kind="stable")
    places = np.searchsorted(fitted[order], queries)[:, None] + np.arange(-num, num)
    outside = (places < 0) | (places >= len(fitted))
    places = np.clip(places, 0, len(fitted) - 1)
    distances = np.abs(fitted[order][places] - queries[:, None])
    distances[outside] = np.inf
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :num]
    return order[np.take_along_axis(places, nearest, axis=1)]


class _Factor:
    """One factor's values on the fitted and the held-out points."""

    def __init__(self, fitted: np.ndarray, held_out: np.ndarray, kind: str, name: str):
        self._fitted, self._held_out, self._continuous = fitted, held_out, kind == "continuous"
        if self._continuous:
            self.normalizer, self.constant_score = float(np.std(held_out)), 0.0
            varies = np.ptp(held_out) > 0
        else:
            counts = np.unique(held_out, return_counts=True)[1]
            self.normalizer = self.constant_score = counts.max() / len(held_out)
            varies = np.ptp(np.concatenate([fitted, held_out])) > 0
        if not varies:
            raise InputError(
                f"The {kind} factor {name!r} has one value only ({held_out[0]:g}) among the points, "
                "so there is nothing to predict: leave it out or take more points."
            )

    def score(self, neighbors: np.ndarray) -> float:
        """s_kj for the neighbours [held-out points, k], as indices of fitted points."""
        values = self._fitted[neighbors]
        if self._continuous:
            errors = values.mean(axis=1) - self._held_out
            return self.normalizer - float(np.sqrt(np.mean(errors**2)))
        values.sort(axis=1)  # of the most frequent classes, the smallest
        votes = (values[:, :, None] == values[:, None, :]).sum(axis=2)
        predicted = values[np.arange(len(values)), votes.argmax(axis=1)]
        return float(np.mean(predicted == self._held_out))


def _gap(matrix: np.ndarray) -> np.ndarray:
    ranked = np.sort(matrix, axis=0)
    return ranked[-1] - ranked[-2]


def _check(
    latents: np.ndarray,
    factors: np.ndarray,
    kinds: Sequence[str],
    names: Sequence[str] | None,
    num_neighbors: int,
) -> None:
    for what, array in (("latents", latents), ("factors", factors)):
        if array.ndim != 2:
            raise InputError(f"{what} must have the shape [points, {what}]; got {array.shape}.")
        finite = np.isfinite(array)
        if not finite.all():
            point, column = np.argwhere(~finite)[0]
            raise InputError(
                f"{what}[{point}, {column}] is {array[point, column]}; every value must be finite."
            )
    if len(latents) != len(factors):
        raise InputError(
            f"latents and factors must be of the same points; got {len(latents)} points of latents "
            f"and {len(factors)} of factors."
        )
    if factors.shape[1] == 0:
        raise InputError(
            "The data has no generating factors, so there is no disentanglement score; "
            "use data with known factors, or the metric `dto`."
        )
    if latents.shape[1] < 2:
        raise InputError(
            f"The disentanglement score compares the best latent with the second best; got "
            f"{latents.shape[1]} latents, it needs at least 2."
        )
    for what, values in (("factor_kinds", kinds), ("factor_names", names)):
        if len(values) != factors.shape[1]:
            raise InputError(f"{what} has {len(values)} entries for {factors.shape[1]} factors.")
    for name, kind in zip(names, kinds, strict=True):
        if kind not in KINDS:
            raise InputError(
                f"Factor {name!r} is of unknown kind {kind!r}; use {' or '.join(KINDS)}."
            )
    if num_neighbors < 1:
        raise InputError(f"num_neighbors must be at least 1; got {num_neighbors}.")
    points, fitted = len(latents), len(latents) - round(HELD_OUT * len(latents))
    if fitted < num_neighbors or points == fitted:
        raise InputError(
            f"{points} points are too few: {num_neighbors} neighbours are taken among 80 % of them "
            "and judged on the other 20 %."
        )
