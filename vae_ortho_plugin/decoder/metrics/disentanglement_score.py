# SPDX-License-Identifier: Apache-2.0
"""`disentanglement_score` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.decoder.metrics import evaluated


@gin.configurable("disentanglement_score", denylist=evaluated.GIVEN_BY_DLIB)
def disentanglement_score(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_neighbors: int = 5,
) -> dict:
    """How much better one latent predicts a factor than the next best one (Eqs. 65 to 70).

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        num_neighbors: k of the nearest-neighbour predictors.

    Returns:
        The fields of `measures.DisentanglementScore`, its score as disentanglement_score.

    Raises:
        InputError: the data have no generating factors, or latents or settings are not valid.
    """
    del artifact_dir
    evaluated.check_positive(num_points=num_points)
    kinds = named_kinds(ground_truth_data, "disentanglement score")
    means, factors = evaluated.means_and_factors(
        ground_truth_data, representation_function, split, num_points, random_state
    )
    result = measures.disentanglement_score(
        means,
        factors,
        factor_kinds=list(kinds.values()),
        seed=random_state.randint(2**31),
        num_neighbors=num_neighbors,
        factor_names=list(kinds),
    )
    fields = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(result).items()
    }
    return {"disentanglement_score": fields.pop("score"), **fields}
