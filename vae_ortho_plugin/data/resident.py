# SPDX-License-Identifier: Apache-2.0
"""Which data sets can be drawn from inside the graph, out of one array in memory."""

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.split_data import SplitGroundTruthData


def resident_observations(ground_truth_data: GroundTruthData) -> tuple[np.ndarray, float] | None:
    """An array [n, *observation_shape] and a scale, or None for data drawn otherwise.

    `sample_observations(1)` of the data has the distribution of `scale` times a uniformly drawn
    row. That holds for dlib's plain dSprites, whichever of its factors are latent: it draws each of
    them, and then each of the others, uniformly and independently. Its coloured and noisy
    descendants add noise to every sample.
    """
    # Late, because dlib's dsprites imports the module whose patch asks for this one.
    from disentanglement_lib.data.ground_truth import dsprites

    if isinstance(ground_truth_data, SplitGroundTruthData):
        return ground_truth_data.resident_observations()
    if type(ground_truth_data) is dsprites.DSprites:
        return ground_truth_data.images[..., np.newaxis], 1.0
    return None
