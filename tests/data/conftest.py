# SPDX-License-Identifier: Apache-2.0
"""What tests of data sets share: gin without a configuration, a short training run, and its evaluation."""

import json
from pathlib import Path

import pytest
from training_fixtures import fresh_gin  # noqa: F401

from vae_ortho_plugin.files.gin_files import gin_config


@pytest.fixture
def train_briefly(tmp_path):
    """Trains a small model with bindings, by default a beta-VAE; returns its directory."""

    def run(*bindings, configs=("beta_vae.gin",)):
        from disentanglement_lib.methods.unsupervised import train

        quick = ["model.training_steps = 3", "model.eval_steps = 1", "training_loop.xla = 'off'"]
        quick += [
            "encoder.num_latent = 2",
            "mlp_encoder.layers = [10]",
            "mlp_decoder.layers = [10]",
        ]
        model = str(tmp_path / "model")
        files = [str(gin_config(name)) for name in configs]
        train.train_with_gin(model, False, files, [*quick, *bindings])
        return model

    return run


@pytest.fixture
def evaluated():
    """Evaluates a model with a metric's gin file; returns the results."""

    def run(model, metric, *bindings):
        from disentanglement_lib.evaluation import evaluate

        output, files = Path(model).parent / metric, [str(gin_config(f"metrics/{metric}.gin"))]
        evaluate.evaluate_with_gin(model, str(output), False, files, list(bindings))
        return json.loads((output / "results/json/evaluation_results.json").read_text())

    return run
