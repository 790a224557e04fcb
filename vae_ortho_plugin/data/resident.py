# SPDX-License-Identifier: Apache-2.0
"""Data sets that can be sampled inside the graph, from one array in memory."""

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.split_data import SplitGroundTruthData


def resident_observations(ground_truth_data: GroundTruthData) -> tuple[np.ndarray, float] | None:
    """The array [n, *observation_shape] and the scale to sample from, or None.

    A result means that `sample_observations(1)` of the data has the distribution of `scale` times a
    uniformly drawn row. That holds for dlib's plain dSprites, whichever of its factors are latent,
    because dlib draws every factor uniformly and independently. The coloured and noisy variants add
    noise to every sample.
    """
    # Imported here, because dlib's dsprites imports the module whose patch imports this one.
    from disentanglement_lib.data.ground_truth import dsprites

    if isinstance(ground_truth_data, SplitGroundTruthData):
        return ground_truth_data.resident_observations()
    if type(ground_truth_data) is dsprites.DSprites:
        return ground_truth_data.images[..., np.newaxis], 1.0
    return None
