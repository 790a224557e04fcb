# SPDX-License-Identifier: Apache-2.0
"""What the tests of the models share; TensorFlow and dlib are imported from here, after the plugin's hook."""

import json

import pytest
from engine_support import tf, train

from vae_ortho_plugin.engine import graphs

VECTORS = [
    "dataset.name = 'synth_linear'",
    "synth_linear.num_points = 1000",
    "encoder.num_latent = 2",
    "encoder.encoder_fn = @mlp_encoder",
    "mlp_encoder.layers = [8]",
    "decoder.decoder_fn = @mlp_decoder",
    "mlp_decoder.layers = [8]",
    "reconstruction_loss.loss_fn = @squared_error",
    "reconstruction_loss.activation = 'linear'",
    "AdamOptimizer.learning_rate = 0.01",
    "model.batch_size = 32",
]
# Of Synth. Lin.'s observations together: the reconstruction loss of the best constant.
VARIANCE = 5 / 12
# dlib's convolutional networks on its dummy data.
IMAGES = [
    "dataset.name = 'dummy_data'",
    "encoder.num_latent = 3",
    "encoder.encoder_fn = @conv_encoder",
    "decoder.decoder_fn = @deconv_decoder",
    "reconstruction_loss.activation = 'logits'",
    "AdamOptimizer.learning_rate = 0.001",
    "model.batch_size = 4",
    "model.training_steps = 2",
]
COMMON = [
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator.discriminator_fn = @fc_discriminator",
    "model.random_seed = 0",
    "model.eval_steps = 5",
    "training_loop.xla = 'off'",
]

# What trains each model, with the bindings above.
MODELS = {
    name: [f"model.model = @{name}()", *bindings]
    for name, bindings in {
        "full_covariance_vae": ["full_covariance_vae.beta = 1e-3"],
        "polarized_vae": ["polarized_vae.beta = 1e-3"],
        "autoencoder": [],
        "vae": ["vae.beta = 1e-3"],
        "annealed_vae": [
            "annealed_vae.gamma = 0.01",
            "annealed_vae.c_max = 5.0",
            "annealed_vae.iteration_threshold = 50",
        ],
        "factor_vae": ["factor_vae.gamma = 1e-3"],
        "dip_vae": [
            "dip_vae.lambda_od = 1e-3",
            "dip_vae.lambda_d_factor = 1.0",
            "dip_vae.dip_type = 'i'",
        ],
        "beta_tc_vae": ["beta_tc_vae.beta = 1e-3"],
    }.items()
}
OF_THE_PAPER = ("full_covariance_vae", "polarized_vae", "autoencoder")


@pytest.fixture
def graph():
    """A graph of its own as the default one, built as training builds: the seed reaches the initial weights."""
    with graphs.building() as graph:
        tf.set_random_seed(0)
        yield graph


def value(*tensors, feed=None):
    """The tensors' values with freshly initialized variables."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(list(tensors), feed)


def trained(directory, bindings, *more):
    """The results of a model that dlib trains into a directory."""
    train.train_with_gin(str(directory), gin_bindings=[*bindings, *COMMON, *more])
    return json.loads((directory / "results/json/train_results.json").read_text())
