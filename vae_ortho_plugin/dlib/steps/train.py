# SPDX-License-Identifier: Apache-2.0
"""dlib_train: a default for --model_dir, the guards of every step, and the continuing of a training."""

import hashlib
import os
import re
import types

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps import guards, image_range, training_directory
from vae_ortho_plugin.engine import progress

_LONGEST_NAME = 100


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module methods.unsupervised.train."""
    module._make_input_fn = image_range.checked(module._make_input_fn)
    module.train = gin_values.checked(training_directory.resumable(module.train))
    module.train_with_gin = guards.guarded(module.train_with_gin, _prepare)


def _prepare(arguments: dict) -> str:
    if arguments["model_dir"] is None:
        name = _name(arguments["gin_config_files"], arguments["gin_bindings"])
        arguments["model_dir"] = os.path.join("output", name)
        progress.say(f"the model goes to {arguments['model_dir']} (no --model_dir given)")
    return arguments["model_dir"]


def _name(files: list[str], bindings: list[str]) -> str:
    """Name of a model directory that tells the trainings of different files and bindings apart.

    Such as beta_vae-mnist-random_seed=3.
    """
    stems = [os.path.splitext(os.path.basename(file))[0] for file in files] or ["model"]
    lines = [line for binding in bindings for line in binding.splitlines() if line.strip()]
    values = [re.sub(r"[^\w.=+-]+", "", line).rpartition("=") for line in lines]
    parts = [f"{name.rpartition('.')[2]}={value}" for name, _, value in values]
    whole = "-".join([*stems, *parts])
    if len(whole) <= _LONGEST_NAME:
        return whole
    return f"{'-'.join(stems)}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"
