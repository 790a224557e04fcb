# SPDX-License-Identifier: Apache-2.0
"""The measures of latents against generating factors as metrics of dlib.

The parameters that are not listed here are those of `evaluated.SHARED`. Each raises InputError where the
data have no generating factors, or latents or settings are not valid.
"""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
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
    fields = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(result).items()
    }
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
            f"The data set {type(of.data).__name__} has no continuous factors, and a categorical one "
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
    result = measures.infomec(means, factors, list(kinds.values()), seed)
    return {
        "infom": result.infom if np.isfinite(result.infom) else None,
        "infoe": result.infoe,
        "infoc": result.infoc if np.isfinite(result.infoc) else None,
        "nmi": result.nmi.tolist(),
        "kept_latents": result.kept,
        "factor_names": list(kinds),
        "num_points": len(means),
        "split": of.split_name,
    }
