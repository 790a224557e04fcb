# SPDX-License-Identifier: Apache-2.0
"""What test_models and test_networks and test_full_covariance share."""

import json

import gin
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train

# isort: split
import tensorflow.compat.v1 as tf

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

COMMON = [
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator.discriminator_fn = @fc_discriminator",
    "model.random_seed = 0",
    "model.eval_steps = 5",
    "training_loop.xla = 'off'",
]


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


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


def result(directory):
    text = (directory / "results/json/train_results.json").read_text()
    return json.loads(text)


def trained(directory, bindings, *more):
    train.train_with_gin(str(directory), gin_bindings=[*bindings, *COMMON, *more])
    return result(directory)


MODELS = {
    "full_covariance_vae": [
        "model.model = @full_covariance_vae()",
        "full_covariance_vae.beta = 1e-3",
    ],
    "polarized_vae": ["model.model = @polarized_vae()", "polarized_vae.beta = 1e-3"],
    "autoencoder": ["model.model = @autoencoder()"],
}
