# SPDX-License-Identifier: Apache-2.0
"""The range of the images, checked before a model is trained: the cross-entropy has no minimum outside of it."""

import functools
from collections.abc import Callable

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.methods.shared import losses

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.dlib.steps import data_set
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.models.loss_curvature import is_bound_loss

_SAMPLE = 256
_ROUNDING = 1e-6


def checked(make_input_fn: Callable) -> Callable:
    """dlib's `_make_input_fn`, which checks the data of a training; that has no number of batches."""

    @functools.wraps(make_input_fn)
    def make_input_fn_of_checked(ground_truth_data, seed, num_batches=None):
        # With a linear output there is no such loss, which is said when the model is built.
        linear = data_set.bound("reconstruction_loss.activation") == "linear"
        if num_batches is None and not linear and is_bound_loss(losses.bernoulli_loss):
            _check(ground_truth_data)
        return make_input_fn(ground_truth_data, seed, num_batches)

    return make_input_fn_of_checked


def _check(data: GroundTruthData) -> None:
    """Raises InputError where an image, of all that are in memory or of a sample, leaves [0, 1]."""
    if isinstance(data, SplitGroundTruthData):
        images, scale = data.resident_observations()
    else:
        images, scale = data.sample_observations(_SAMPLE, np.random.RandomState(0)), 1.0
    least, largest = float(np.min(images)) * scale, float(np.max(images)) * scale
    if not (least >= -_ROUNDING and largest <= 1 + _ROUNDING):  # also where one is NaN
        raise InputError(
            f"The images of {data_set.bound('dataset.name')} lie between {least:g} and {largest:g}, and "
            "reconstruction_loss.loss_fn = @bernoulli_loss takes numbers from 0 to 1: outside of these it "
            "falls without end. Scale the images, or take @squared_error with "
            "reconstruction_loss.activation = 'linear'."
        )
