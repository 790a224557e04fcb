# SPDX-License-Identifier: Apache-2.0
"""How latents and generating factors correspond: `mcc` and `infomec`.

`mcc` is that of nonlinear ICA: Hyvarinen and Morioka, Unsupervised Feature Extraction by Time-Contrastive
Learning and Nonlinear ICA, NeurIPS 2016. `infomec` is that of Hsu, Dorrell, Whittington, Wu and Finn,
Disentanglement via Latent Quantization, NeurIPS 2023.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from vae_ortho_plugin.errors import InputError, check_one_of, check_whole
from vae_ortho_plugin.measures.shared.arrays import Floats, chosen_latents
from vae_ortho_plugin.measures.shared.factors import checked_factors
from vae_ortho_plugin.measures.shared.results import Result

# Of the authors' code: neighbours of the estimator, and the share of the largest range of a latent up to
# which another one is left out.
_NUM_NEIGHBORS = 10
_SMALL_RANGE = 1 / 20
# As many as dlib's discretizer has bins.
_NUM_STEPS = 20


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Mcc(Result):
    """Correlations of latents and factors.

    Attributes:
        mean: mean of per_factor over the factors, in [0, 1].
        per_factor: [factors], |correlation| of each factor with its latent; 0 without a latent.
        matched: [factors], index of each factor's latent; −1 for a factor without one.
        correlations: [latents, factors], |correlation|; 0 for a constant latent.
    """

    mean: float
    per_factor: Floats
    matched: NDArray[np.intp]
    correlations: Floats


def mcc(
    means: ArrayLike,
    factors: ArrayLike,
    correlation: str = "pearson",
    active: ArrayLike | None = None,
) -> Mcc:
    """Mean correlation coefficient: (1/factors) Σ_k |corr(μ_π(k), w_k)|, π the best linear assignment.

    Two factors in a latent space that is rotated by 45 degrees, and the ranks of a monotone function:

    >>> factors = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    >>> round(mcc([[1, 1], [-1, 1], [-1, -1], [1, -1]], factors).mean, 4)
    0.7071
    >>> round(mcc([[1], [8], [27]], [[1], [2], [3]], correlation="spearman").mean, 9)
    1.0

    Args:
        means: posterior means, [points, latents].
        factors: [points, factors], numbers on a scale; leave out categorical factors.
        correlation: "pearson", or "spearman" for that of the ranks.
        active: indices of the latents to take; all by default.

    Raises:
        InputError: as `disentanglement_score`, or an unknown correlation.
    """
    check_one_of("correlation", correlation, ("pearson", "spearman"))
    latents, chosen = chosen_latents(means, active)
    numbers = np.stack(checked_factors(factors, "continuous", len(latents))[0], axis=1)
    if correlation == "spearman":
        latents, numbers = rankdata(latents, axis=0), rankdata(numbers, axis=0)
    correlations = np.minimum(np.abs(_unit_columns(latents).T @ _unit_columns(numbers)), 1)
    rows, columns = linear_sum_assignment(correlations, maximize=True)
    matched = np.full(numbers.shape[1], -1)
    matched[columns] = chosen[rows]
    per_factor = np.zeros(numbers.shape[1])
    per_factor[columns] = correlations[rows, columns]
    return Mcc(float(per_factor.mean()), per_factor, matched, correlations)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class InfoMec(Result):
    """Modularity, explicitness and compactness of a representation.

    Attributes:
        infom: modularity, in [0, 1]; 1 where each latent knows of one factor. NaN with one factor or no
            latent kept.
        infoe: explicitness, at most 1; 1 where the factors can be read off linearly.
        infoc: compactness, in [0, 1]; 1 where each factor is known to one latent. NaN where fewer than two
            latents are kept.
        nmi: [latents, factors], I(z_j; w_k) / H(w_k), about 0 to 1, estimated for values that do not repeat.
        kept: indices of the latents whose range is above 1/20 of the largest one, which infom and infoc are over.
    """

    infom: float
    infoe: float
    infoc: float
    nmi: Floats
    kept: list[int]


def infomec(
    means: ArrayLike,
    factors: ArrayLike,
    factor_kinds: Sequence[str],
    seed: int = 0,
    active: ArrayLike | None = None,
) -> InfoMec:
    """InfoM, InfoE and InfoC of Hsu et al. 2023, for latents that are real numbers.

    With N_jk = I(z_j; w_k) / H(w_k) by 10 nearest neighbours, where each value of a factor is a class:

        InfoM = (mean_j (max_k N_jk / Σ_k N_jk) − 1/factors) / (1 − 1/factors)
        InfoC = (mean_k (max_j N_jk / Σ_j N_jk) − 1/latents) / (1 − 1/latents)
        InfoE = mean_k (1 − L(w_k | z) / L(w_k | constant))

    L is the loss of the best linear prediction, fitted to these points: for a categorical factor the
    cross-entropy of a logistic regression that weighs all classes alike, for a continuous one the squared
    error, so that its term is R². A latent or factor without any information counts as one whose information is
    spread evenly. A continuous factor with fewer than 11 points for a value counts in N by 20 steps of
    equal width.

    Where both latents are the same, no factor has one of its own, and either explains the factor:

    >>> found = infomec([[i, i] for i in range(60)], [[i] for i in range(60)], ["continuous"])
    >>> round(found.infoc, 2), round(found.infoe, 9)
    (0.0, 1.0)

    Args:
        means, factors, factor_kinds, active: as of `disentanglement_score`, for one latent or more.
        seed: of the noise of 1e-10 that scikit-learn adds to latents so that no two are equal.

    Raises:
        InputError: as `disentanglement_score`, every class of a factor has one point, or there is no scikit-learn.
    """
    latents, chosen = chosen_latents(means, active)
    columns, kinds, _ = checked_factors(factors, factor_kinds, len(latents))
    check_whole("seed", seed)
    ranges = np.ptp(latents, axis=0)
    kept = np.flatnonzero(ranges > ranges.max() * _SMALL_RANGE)
    latents = _unit_columns(latents) * np.sqrt(len(latents))  # of standard deviation 1
    nmi = _nmi(latents, columns, kinds, seed)
    terms = [_explained(latents, *of_factor) for of_factor in zip(columns, kinds, strict=True)]
    return InfoMec(
        infom=_concentration(nmi[kept]),
        infoe=float(np.mean(terms)),
        infoc=_concentration(nmi[kept].T),
        nmi=nmi,
        kept=chosen[kept].tolist(),
    )


def _concentration(rows: Floats) -> float:
    """How far each row is one entry alone: 1, or 0 where all entries are equal; NaN for one column."""
    number = rows.shape[1]
    if number < 2 or not len(rows):
        return float("nan")
    sums = rows.sum(axis=1)
    shares = np.divide(rows.max(axis=1), sums, out=np.full_like(sums, 1 / number), where=sums > 0)
    return float((shares.mean() - 1 / number) / (1 - 1 / number))


def _nmi(latents: Floats, columns: list[Floats], kinds: list[str], seed: int) -> Floats:
    selection = _scikit_learn().feature_selection
    varying = latents.any(axis=0)
    result = np.zeros((latents.shape[1], len(columns)))
    for k, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
        classes = _classes(column, kind)
        counts = np.bincount(classes)
        if counts.max() < 2:
            raise InputError(
                f"Every class of factor {k} has one point only, so that it has no nearest neighbours. Take "
                "more points or, if it is a number on a scale, call it continuous in factor_kinds."
            )
        if varying.any():
            shares = counts / len(classes)
            result[varying, k] = selection.mutual_info_classif(
                latents[:, varying],
                classes,
                discrete_features=False,
                n_neighbors=_NUM_NEIGHBORS,
                random_state=seed,
            ) / -(shares @ np.log(shares))
    return result


def _classes(column: Floats, kind: str) -> NDArray[np.intp]:
    """The class of each point."""
    values, classes = np.unique(column, return_inverse=True)
    if kind == "continuous" and len(values) * (_NUM_NEIGHBORS + 1) > len(column):
        shares = (column - values[0]) / (values[-1] - values[0])
        steps = np.minimum(np.floor(shares * _NUM_STEPS), _NUM_STEPS - 1)
        classes = np.unique(steps, return_inverse=True)[1]
    return np.asarray(classes)


def _explained(latents: Floats, column: Floats, kind: str) -> float:
    """1 − loss of the best linear prediction over that of the best constant."""
    sklearn = _scikit_learn()
    if kind == "continuous":
        numbers = _unit_columns(column[:, None])
        fit = sklearn.linear_model.LinearRegression().fit(latents, numbers)
        return float(fit.score(latents, numbers))
    classes = np.unique(column, return_inverse=True)[1]
    model = sklearn.linear_model.LogisticRegression(C=np.inf, class_weight="balanced")
    with warnings.catch_warnings():
        # Classes that can be told apart have no best weights; the loss is small long before.
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        model.fit(latents, classes)
    loss = sklearn.metrics.log_loss(classes, model.predict_proba(latents))
    # With equal weights of the classes, the best constant predicts all alike.
    return float(1 - loss / np.log(classes.max() + 1))


def _scikit_learn() -> Any:
    try:
        import sklearn.exceptions
        import sklearn.feature_selection
        import sklearn.linear_model
        import sklearn.metrics
    except ModuleNotFoundError as error:
        raise InputError("infomec needs scikit-learn: pip install scikit-learn.") from error
    return sklearn


def _unit_columns(array: Floats) -> Floats:
    """The columns less their means, of length 1; constant ones as zeros."""
    shifted = array - array[0]  # exactly 0 where a column is constant
    # Scaled, so that no square leaves float64's range.
    scale = np.abs(shifted).max(axis=0)
    shifted /= np.where(scale > 0, scale, 1)
    centred = shifted - shifted.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(norms > 0, norms, 1))
