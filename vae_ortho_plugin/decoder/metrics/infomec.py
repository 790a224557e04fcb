# SPDX-License-Identifier: Apache-2.0
"""`infomec` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.decoder.metrics import evaluated


@gin.configurable("infomec", denylist=evaluated.GIVEN_BY_DLIB)
def infomec(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
) -> dict:
    """Modularity, explicitness and compactness of Hsu et al. 2023.

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.

    Returns:
        infom, infoe and infoc (None where there are too few factors or latents); nmi [latents][factors];
        kept_latents, those whose range is not small; factor_names; num_points and the split.

    Raises:
        InputError: the data have no generating factors, or latents or settings are not valid.
    """
    del artifact_dir
    evaluated.check_positive(num_points=num_points)
    kinds = named_kinds(ground_truth_data, "InfoMEC")
    means, factors = evaluated.means_and_factors(
        ground_truth_data, representation_function, split, num_points, random_state
    )
    result = measures.infomec(
        means, factors, list(kinds.values()), seed=random_state.randint(2**31)
    )
    return {
        "infom": result.infom if np.isfinite(result.infom) else None,
        "infoe": result.infoe,
        "infoc": result.infoc if np.isfinite(result.infoc) else None,
        "nmi": result.nmi.tolist(),
        "kept_latents": result.kept,
        "factor_names": list(kinds),
        "num_points": len(means),
        "split": evaluated.split_name(ground_truth_data, split),
    }
