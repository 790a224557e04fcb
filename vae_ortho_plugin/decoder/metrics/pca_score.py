# SPDX-License-Identifier: Apache-2.0
"""`pca_score` as a metric of disentanglement_lib. It is of the data alone, whatever the model is."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds, need_factors
from vae_ortho_plugin.decoder.metrics import evaluated


@gin.configurable("pca_score", denylist=evaluated.GIVEN_BY_DLIB)
def pca_score(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_neighbors: int = 5,
    local_points: int = 200,
    local_neighbors: int = 50,
) -> dict:
    """Disentanglement score of the data's principal components, and their angles to the factors.

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        num_neighbors: k of the nearest-neighbour predictors.
        local_points, local_neighbors: as of `measures.pca_score`.

    Returns:
        The fields of `measures.PcaScore`, None for NaN; factor_names and the split.

    Raises:
        InputError: the data have fewer than two generating factors, or settings are not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points)
    kinds = named_kinds(ground_truth_data, "PCA score")
    need_factors(ground_truth_data, "the PCA score", least=2)
    parts = evaluated.points(ground_truth_data, split, num_points, random_state)
    images, factors = map(np.concatenate, zip(*parts, strict=True))
    result = measures.pca_score(
        images,
        factors,
        list(kinds.values()),
        seed=random_state.randint(2**31),
        num_neighbors=num_neighbors,
        factor_names=list(kinds),
        local_points=local_points,
        local_neighbors=local_neighbors,
    )
    fields = {name: _without_nan(np.asarray(value)) for name, value in vars(result).items()}
    return {
        **fields,
        "factor_names": list(kinds),
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _without_nan(values: np.ndarray) -> object:
    return np.where(np.isnan(values), None, values.astype(object)).tolist()
