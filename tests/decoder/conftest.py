# SPDX-License-Identifier: Apache-2.0
"""One trained model for all tests of this folder that only read one."""

import json
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def linear_vae(tmp_path_factory):
    """Directory of a β-VAE on Synth. Lin. (`directory`), and its training results (`results`)."""
    import vae_ortho_plugin  # noqa: F401, I001  its hook comes before dlib
    from disentanglement_lib.methods.unsupervised import train

    directory = tmp_path_factory.mktemp("linear_vae") / "model"
    bindings = ["synth_linear.num_points = 1000", "model.training_steps = 200"]
    bindings += ["model.eval_steps = 2", "training_loop.xla = 'off'"]
    trackers = "dto_while_training", "ima_contrast_while_training", "polarized_regime"
    bindings += [f"{name}.every = 150" for name in trackers]
    train.train_with_gin(str(directory), False, ["beta_vae.gin"], bindings)
    results = json.loads((directory / "results/json/train_results.json").read_text())
    return SimpleNamespace(directory=directory, results=results)
