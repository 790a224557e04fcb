# SPDX-License-Identifier: Apache-2.0
"""`mcc` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.errors import InputError


@gin.configurable("mcc", denylist=evaluated.GIVEN_BY_DLIB)
def mcc(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    correlation: str = "pearson",
) -> dict:
    """Mean correlation coefficient of the continuous factors with a latent each.

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        correlation: "pearson" or "spearman".

    Returns:
        mcc; per_factor, matched_latents (−1 for none) and factor_names of the continuous factors;
        num_points and the settings.

    Raises:
        InputError: the data have no continuous factors, or latents or settings are not valid.
    """
    del artifact_dir
    evaluated.check_positive(num_points=num_points)
    kinds = named_kinds(ground_truth_data, "mean correlation coefficient")
    continuous = [k for k, kind in enumerate(kinds.values()) if kind == "continuous"]
    if not continuous:
        raise InputError(
            f"The data set {type(ground_truth_data).__name__} has no continuous factors, and a categorical one "
            "has no correlation; use the metric infomec or disentanglement_score."
        )
    means, factors = evaluated.means_and_factors(
        ground_truth_data, representation_function, split, num_points, random_state
    )
    numbers = factors[:, continuous].astype(np.float64)
    result = measures.mcc(means, numbers, correlation)
    return {
        "mcc": result.mean,
        "per_factor": result.per_factor.tolist(),
        "matched_latents": result.matched.tolist(),
        "factor_names": [list(kinds)[k] for k in continuous],
        "num_points": len(means),
        "correlation": correlation,
        "split": evaluated.split_name(ground_truth_data, split),
    }
