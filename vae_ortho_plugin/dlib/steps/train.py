# SPDX-License-Identifier: Apache-2.0
"""dlib_train: a default for --model_dir, the check of the images, the continuing of a training run."""

import functools
import hashlib
import os
import re
import types
from collections.abc import Callable

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.methods.shared import losses

import vae_ortho_plugin.decoder.tracking
import vae_ortho_plugin.models  # noqa: F401  as that of the trackers, the import registers them
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps import data_set, guards, training_directory
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.models.loss_curvature import is_bound_loss

_LONGEST_NAME = 100
# Images that are checked where they are not all in memory, and how far one may leave [0, 1].
_SAMPLE, _ROUNDING = 256, 1e-6


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module methods.unsupervised.train."""
    module._make_input_fn = _of_checked_images(module._make_input_fn)
    resumable = training_directory.resumable(module.train)

    @functools.wraps(module.train)
    def train(*args, **kwargs):
        gin_values.check()
        return resumable(*args, **kwargs)

    module.train = train
    module.train_with_gin = guards.guarded(module.train_with_gin, _prepare)


def _prepare(arguments: dict) -> str:
    if arguments["model_dir"] is None:
        name = _name(arguments["gin_config_files"], arguments["gin_bindings"])
        arguments["model_dir"] = os.path.join("output", name)
        progress.say(f"the model goes to {arguments['model_dir']} (no --model_dir given)")
    return arguments["model_dir"]


def _name(files: list[str], bindings: list[str]) -> str:
    """A model directory's name that tells other files and bindings apart, as beta_vae-mnist-random_seed=3."""
    stems = [os.path.splitext(os.path.basename(file))[0] for file in files] or ["model"]
    lines = [line for binding in bindings for line in binding.splitlines() if line.strip()]
    values = [re.sub(r"[^\w.=+-]+", "", line).rpartition("=") for line in lines]
    parts = [f"{name.rpartition('.')[2]}={value}" for name, _, value in values]
    whole = "-".join([*stems, *parts])
    if len(whole) <= _LONGEST_NAME:
        return whole
    return f"{'-'.join(stems)}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def _of_checked_images(make_input_fn: Callable) -> Callable:
    """dlib's `_make_input_fn`, which first checks the data of a training run: where there is no number of batches."""

    @functools.wraps(make_input_fn)
    def make_input_fn_of_checked(ground_truth_data, seed, num_batches=None):
        # With a linear output there is no such loss, which is said when the model is built.
        linear = data_set.bound("reconstruction_loss.activation") == "linear"
        if num_batches is None and not linear and is_bound_loss(losses.bernoulli_loss):
            _check_range(ground_truth_data)
        return make_input_fn(ground_truth_data, seed, num_batches)

    return make_input_fn_of_checked


def _check_range(data: GroundTruthData) -> None:
    """Raises InputError where an image leaves [0, 1], outside of which the cross-entropy has no minimum."""
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
