# SPDX-License-Identifier: Apache-2.0
"""Disentanglement score: how much better one latent predicts a factor than the next best one.

Supplement B.1, Eqs. 65 to 70, of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.arrays import (
    ByValue,
    as_array,
    check_finite,
    element,
    float_array,
    whole_number,
)

KINDS = ("continuous", "categorical")
HELD_OUT = 0.2
# From here on float64 does not tell neighbouring integers apart.
_EXACT = 2.0**53


@dataclasses.dataclass(frozen=True, eq=False)
class DisentanglementResult(ByValue):
    """Disentanglement score of a representation.

    Attributes:
        disentanglement_score: mean of factor_scores, in [0, 1].
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

    disentanglement_score: float
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
    latents: ArrayLike,
    factors: ArrayLike,
    factor_kinds: Sequence[str],
    seed: int = 0,
    num_neighbors: int = 5,
    factor_names: Sequence[str] | None = None,
) -> DisentanglementResult:
    """Scores how well single latents align with single generating factors (Eqs. 65 to 70).

    Each factor is predicted from each latent alone by its nearest neighbours, fitted to a random
    80 % of the points and judged on the other 20 %. The normalizer is the score of the best constant
    on those: the standard deviation of a continuous factor, the accuracy of the most frequent class
    of a categorical one. Every continuous factor is treated as a number on a line, also an angle.

    A factor seen by one latent only scores 1, one seen by two latents alike scores 0:

    >>> shapes = [[("circle", "square", "heart")[i % 3]] for i in range(60)]
    >>> one = [[i % 3, 0] for i in range(60)]
    >>> disentanglement_score(one, shapes, ["categorical"]).disentanglement_score
    1.0
    >>> two = [[i % 3, i % 3] for i in range(60)]
    >>> disentanglement_score(two, shapes, ["categorical"]).disentanglement_score
    0.0

    Args:
        latents: [points, latents], at least two latents.
        factors: [points, factors]; numbers, or for a categorical factor its classes, which may be
            strings.
        factor_kinds: "continuous" or "categorical" for each factor.
        seed: of the 80/20 split.
        num_neighbors: k of the nearest-neighbour regressor or classifier.
        factor_names: for the result and messages; "factor 0", ... if left out.

    Raises:
        InputError: shapes, lengths or kinds that do not fit, values that are not finite, strings in
            a continuous factor, too few points or latents, a factor that does not vary.
    """
    codes = float_array("latents", latents)
    table = factor_table(factors)
    kinds = [factor_kinds] if isinstance(factor_kinds, str) else list(factor_kinds)
    if factor_names is None:
        names = [f"factor {k}" for k in range(table.shape[-1] if table.ndim == 2 else 0)]
    else:
        names = list(factor_names)
    _check(codes, table, kinds, names, num_neighbors)
    points = len(codes)
    order = np.random.default_rng(whole_number("seed", seed, 0)).permutation(points)
    held_out, fitted = np.split(order, [round(HELD_OUT * points)])

    predictors = []
    for k, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        values = factor_values(table, k, kind, name)
        predictors.append(_Factor(values[fitted], values[held_out], kind == "continuous"))
        if not predictors[-1].varies:
            raise InputError(
                f"The {kind} factor {name!r} has one value only ({_shown(table[held_out[0], k])}) "
                "among the points, so there is nothing to predict: leave it out or take more points."
            )
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
    return DisentanglementResult(
        disentanglement_score=float(clipped.mean()),
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
            self.perfect_score = 1.0
            self.varies = bool(np.ptp(np.concatenate([fitted, held_out])) > 0)

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


def factor_table(factors: ArrayLike) -> NDArray[Any]:
    """The factors as integers or in float64 or, where that would change them, as objects."""
    array = as_array("factors", factors)
    kind = array.dtype.kind
    if kind in "iu":
        return array
    # A list or a data frame, which has no one type: its integers beside fractions became float64.
    inexact = kind == "f" and not hasattr(factors, "dtype") and bool((abs(array) >= _EXACT).any())
    if kind not in "USTO" and not inexact:
        return float_array("factors", array, booleans=True)
    # A list of numbers and strings is an array of strings, unless objects are asked for.
    return np.asarray(factors if kind != "O" else array, dtype=object)


def factor_values(table: NDArray[Any], k: int, kind: str, name: str) -> NDArray[np.float64]:
    """Column k in float64; classes as their places in sorted order, so that none are merged."""
    column = table[:, k]
    if column.dtype == object:
        types = [_type(value) for value in column]
        expected = numbers.Real if kind == "continuous" else types[0]
        for point, found in enumerate(types):
            if found is None or found is not expected:
                must = "be numbers" if kind == "continuous" else "all be numbers or all be strings"
                raise InputError(
                    f"{element('factors', (point, k))} is {column[point]!r}; the values of the {kind} "
                    f"factor {name!r} must {must}."
                )
        if expected is numbers.Real:
            check_finite(f"factors[:, {k}]", column.astype(np.float64))
        else:
            column = column.astype(expected)
    if kind == "continuous":
        return np.asarray(column, np.float64)
    return np.asarray(np.unique(column, return_inverse=True)[1], np.float64)


def _type(value: object) -> type | None:
    allowed = (str, bytes, numbers.Real)
    return next((kind for kind in allowed if isinstance(value, kind)), None)


def _shown(value: object) -> str:
    if isinstance(value, np.integer):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _check(
    latents: NDArray[np.float64],
    factors: NDArray[Any],
    kinds: list[str],
    names: list[str],
    num_neighbors: int,
) -> None:
    for what, array in (("latents", latents), ("factors", factors)):
        if array.ndim != 2:
            raise InputError(f"{what} must have the shape [points, {what}]; got {array.shape}.")
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
    for what, entries in (("factor_kinds", kinds), ("factor_names", names)):
        if len(entries) != factors.shape[1]:
            raise InputError(f"{what} has {len(entries)} entries for {factors.shape[1]} factors.")
    for name, kind in zip(names, kinds, strict=True):
        if kind not in KINDS:
            raise InputError(
                f"Factor {name!r} is of unknown kind {kind!r}; use {' or '.join(KINDS)}."
            )
    whole_number("num_neighbors", num_neighbors, 1)
    points, fitted = len(latents), len(latents) - round(HELD_OUT * len(latents))
    if fitted < num_neighbors or points == fitted:
        raise InputError(
            f"{points} points are too few: {num_neighbors} neighbours are taken among 80 % of them "
            "and judged on the other 20 %."
        )
