# SPDX-License-Identifier: Apache-2.0
"""`pca_score` as a metric of disentanglement_lib. It is of the data alone, whatever the model is."""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds, need_factors
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.evaluated import Evaluation


@evaluated.metric("pca_score", "split", "num_points")
def pca_score(
    of: Evaluation, num_neighbors: int = 5, local_points: int = 200, local_neighbors: int = 50
) -> dict:
    """Disentanglement score of the data's principal components, and their angles to the factors.

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
    fields = {name: _without_nan(np.asarray(value)) for name, value in vars(result).items()}
    return {
        "pca_score": fields.pop("score"),
        **fields,
        "factor_names": list(kinds),
        "split": of.split_name,
    }


def _without_nan(values: np.ndarray) -> object:
    return np.where(np.isnan(values), None, values.astype(object)).tolist()
