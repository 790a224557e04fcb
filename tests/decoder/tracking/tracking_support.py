# SPDX-License-Identifier: Apache-2.0
"""What test_tracking and test_tracking_refusals share."""

import json

import engine_support
import gin
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.methods.unsupervised import train

BINDINGS = """
dataset.name = 'synth_linear'
synth_linear.num_points = 1000
encoder.num_latent = 2
encoder.encoder_fn = @mlp_encoder
mlp_encoder.layers = []
decoder.decoder_fn = @mlp_decoder
mlp_decoder.layers = [4]
reconstruction_loss.loss_fn = @squared_error
reconstruction_loss.activation = 'linear'
vae_optimizer.optimizer_fn = @AdamOptimizer
discriminator_optimizer.optimizer_fn = @AdamOptimizer
discriminator.discriminator_fn = @fc_discriminator
AdamOptimizer.learning_rate = 0.05
model.random_seed = 0
model.eval_steps = 5
model.batch_size = 16
training_loop.xla = 'off'
polarized_regime.num_points = 200
dto_while_training.num_points = 300
"""
MODELS = {
    "vae": "vae.beta = 1e-3",
    "beta_tc_vae": "beta_tc_vae.beta = 2.0",
    "factor_vae": "factor_vae.gamma = 1.0",
    "dip_vae": "dip_vae.lambda_od = 1.0\ndip_vae.lambda_d_factor = 1.0",
    "annealed_vae": "annealed_vae.gamma = 1.0\nannealed_vae.c_max = 5.0\n"
    "annealed_vae.iteration_threshold = 100",
    "polarized_vae": "polarized_vae.beta = 1e-3",
    "full_covariance_vae": "full_covariance_vae.beta = 1e-3",
}


@pytest.fixture(autouse=True)
def bindings():
    gin.clear_config()
    gin.parse_config(BINDINGS)
    yield
    gin.clear_config()


def estimator(directory, model):
    return engine_support.estimator(directory, model.model_fn, tf_random_seed=0)


def train_by_gin(directory, model, *bindings):
    settings = [f"model.model = @{model}()", *MODELS.get(model, "").split("\n"), *bindings]
    gin.clear_config()
    train.train_with_gin(str(directory), gin_bindings=[*BINDINGS.split("\n"), *settings])
    path = directory / "results/json/train_results.json"
    return json.loads(path.read_text())
