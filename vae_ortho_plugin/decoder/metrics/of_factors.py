# SPDX-License-Identifier: Apache-2.0
"""The measures of latents against generating factors as metrics of dlib.

The parameters that are not listed here are those of `evaluated.SHARED`. Each raises InputError where the
data have no generating factors, or latents or settings are not valid.
"""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import class_of, named_kinds, need_factors
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.evaluated import Evaluation
from vae_ortho_plugin.errors import InputError


@evaluated.metric("disentanglement_score", "split", "num_points")
def disentanglement_score(of: Evaluation, num_neighbors: int = 5) -> dict:
    """How much better one latent predicts a factor than the next best one (Eqs. 65 to 70).

    Args:
        num_neighbors: k of the nearest-neighbour predictors.

    Returns:
        The fields of `measures.DisentanglementScore`, its score as disentanglement_score.
    """
    kinds = named_kinds(of.data, "disentanglement score")
    means, factors = of.means_and_factors()
    result = measures.disentanglement_score(
        means,
        factors,
        factor_kinds=list(kinds.values()),
        seed=of.random_state.randint(2**31),
        num_neighbors=num_neighbors,
        factor_names=list(kinds),
    )
    fields = _fields(result)
    return {"disentanglement_score": fields.pop("score"), **fields}


@evaluated.metric("mcc", "split", "num_points")
def mcc(of: Evaluation, correlation: str = "pearson") -> dict:
    """Mean correlation coefficient of the continuous factors with a latent each.

    Args:
        correlation: "pearson" or "spearman".

    Returns:
        mcc; per_factor, matched_latents (−1 for none) and factor_names of the continuous factors;
        num_points and the settings.
    """
    kinds = named_kinds(of.data, "mean correlation coefficient")
    continuous = [k for k, kind in enumerate(kinds.values()) if kind == "continuous"]
    if not continuous:
        raise InputError(
            f"The data set {class_of(of.data).__name__} has no continuous factors, and a categorical one "
            "has no correlation; use the metric infomec or disentanglement_score."
        )
    means, factors = of.means_and_factors()
    result = measures.mcc(means, factors[:, continuous].astype(np.float64), correlation)
    return {
        "mcc": result.mean,
        "per_factor": result.per_factor.tolist(),
        "matched_latents": result.matched.tolist(),
        "factor_names": [list(kinds)[k] for k in continuous],
        "num_points": len(means),
        "correlation": correlation,
        "split": of.split_name,
    }


@evaluated.metric("infomec", "split", "num_points")
def infomec(of: Evaluation) -> dict:
    """Modularity, explicitness and compactness of Hsu et al. 2023.

    Returns:
        infom, infoe and infoc (None where there are too few factors or latents); nmi [latents][factors];
        kept_latents, those whose range is not small; factor_names; num_points and the split.
    """
    kinds = named_kinds(of.data, "InfoMEC")
    means, factors = of.means_and_factors()
    seed = of.random_state.randint(2**31)
    fields = _fields(measures.infomec(means, factors, list(kinds.values()), seed))
    kept = fields.pop("kept")
    return {
        **fields,
        "kept_latents": kept,
        "factor_names": list(kinds),
        "num_points": len(means),
        "split": of.split_name,
    }


@evaluated.metric("pca_score", "split", "num_points")
def pca_score(
    of: Evaluation, num_neighbors: int = 5, local_points: int = 200, local_neighbors: int = 50
) -> dict:
    """Disentanglement score of the data's principal components, and their angles to the factors, of any model.

    Args:
        num_neighbors: k of the nearest-neighbour predictors.
        local_points, local_neighbors: as of `measures.pca_score`.

    Returns:
        The fields of `measures.PcaScore`, its score as pca_score, None for NaN; factor_names and the split.

    Raises:
        InputError: the data have fewer than two generating factors, or settings are not valid.
    """
    kinds = named_kinds(of.data, "PCA score")
    need_factors(of.data, "the PCA score", least=2)
    images, factors = map(np.concatenate, zip(*of.points(), strict=True))
    result = measures.pca_score(
        images,
        factors,
        list(kinds.values()),
        seed=of.random_state.randint(2**31),
        num_neighbors=num_neighbors,
        factor_names=list(kinds),
        local_points=local_points,
        local_neighbors=local_neighbors,
    )
    fields = _fields(result)
    return {
        "pca_score": fields.pop("score"),
        **fields,
        "factor_names": list(kinds),
        "split": of.split_name,
    }


def _fields(result: object) -> dict:
    """The fields of a result for JSON: an array as a list, and None for NaN."""
    fields = dict(vars(result))
    for name, value in fields.items():
        if isinstance(value, (float, np.ndarray)):
            numbers = np.asarray(value)
            fields[name] = np.where(np.isnan(numbers), None, numbers.astype(object)).tolist()
    return fields
