# SPDX-License-Identifier: Apache-2.0
"""The linearized VAE in dlib's pipeline, and what it refuses."""

import itertools

import gin
import numpy as np
import pytest
from parameters_support import long_but

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train  # noqa: F401

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from models_support import VARIANCE, VECTORS, fresh_gin, trained, value  # noqa: F401

from vae_ortho_plugin import models
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import InputError

LINEARIZED = ["model.model = @linearized_vae()", "linearized_vae.beta = 1e-3"]
DIAL = "linearized_vae.orthogonality = 4.0"
IMAGES = [
    "dataset.name = 'dummy_data'",
    "encoder.num_latent = 3",
    "reconstruction_loss.activation = 'logits'",
    "AdamOptimizer.learning_rate = 0.001",
    "model.batch_size = 4",
    "model.training_steps = 2",
]
NETWORKS = {
    "convolutions": ["@conv_encoder", "@deconv_decoder"],
    "dense": ["@fc_encoder", "@fc_decoder"],
    "ours": ["@mlp_encoder", "@mlp_decoder"],
}
TRACKED = ["polarized_regime.every = 20", "dto_while_training.every = 20"]


@gin.configurable("rounding_decoder")
def rounding_decoder(latent_tensor, output_shape, is_training=True):
    """Piecewise constant."""
    flat = tf.layers.dense(tf.round(latent_tensor), int(np.prod(output_shape)))
    return tf.reshape(flat, [-1, *output_shape])


@gin.configurable("softsign_decoder")
def softsign_decoder(latent_tensor, output_shape, is_training=True):
    """TensorFlow differentiates softsign, but not its derivative."""
    hidden = tf.layers.dense(latent_tensor, 4, activation=tf.nn.softsign)
    return tf.reshape(tf.layers.dense(hidden, int(np.prod(output_shape))), [-1, *output_shape])


@gin.configurable("absolute_error")
def absolute_error(true_images, reconstructed_images, activation):
    """Covered by no closed form."""
    return tf.reduce_sum(tf.abs(true_images - reconstructed_images), [1, 2, 3])


LOSSES = ["bernoulli_loss", "l2_loss", "squared_error"]


@pytest.mark.parametrize(
    ("networks", "loss"),
    long_but(zip(NETWORKS, LOSSES, strict=True), itertools.product(NETWORKS, LOSSES)),
)
def test_it_trains_with_every_network_and_loss(tmp_path, networks, loss):
    encoder, decoder = NETWORKS[networks]
    outcome = trained(
        tmp_path / "m",
        IMAGES,
        *LINEARIZED,
        DIAL,
        f"encoder.encoder_fn = {encoder}",
        f"decoder.decoder_fn = {decoder}",
        f"reconstruction_loss.loss_fn = @{loss}",
    )
    assert outcome["global_step"] == 2
    assert np.isfinite([outcome[key] for key in ("loss", "elbo", "kl_loss", "regularizer")]).all()


@pytest.mark.parametrize(
    ("points", "xla"),
    long_but([(8, "on")], itertools.product([None, 8], ["on", "off"])),
)
def test_it_learns_and_can_be_tracked_in_the_compiled_and_in_the_plain_loop(tmp_path, xla, points):
    more = [DIAL, f"linearized_vae.penalty_points = {points}", f"training_loop.xla = '{xla}'"]
    outcome = trained(
        tmp_path / "1", VECTORS, *LINEARIZED, *more, *TRACKED, "model.training_steps = 400"
    )
    assert outcome["reconstruction_loss"] < VARIANCE / 3
    assert len(outcome["polarized_regime"]["delta_kl"]) == 20
    dto = outcome["dto_while_training"]["dto"]
    assert len(dto) == 21 and dto[-1] < 0.3


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("linearized") / "m"
    gin.clear_config()
    trained(directory, VECTORS, *LINEARIZED, DIAL, "model.training_steps = 50")
    return directory


def test_the_exported_posterior_is_the_closed_form_at_the_exported_decoder(model_dir):
    images = np.random.default_rng(0).uniform(size=(9, 3, 1, 1)).astype(np.float32)
    with open_model(str(model_dir)) as model:
        means, logvars = model.posterior(images)
        (jacobians,) = model.jacobians(means)
        noise = np.random.default_rng(1).normal(size=(9, 2)).astype(np.float32)
        sampled = model.reconstruct(images, noise)
        expected = model.decode(means + np.exp(logvars / 2) * noise)
        of_noise = model.noise_jacobians(images)
    precision = 1 + 2 * np.square(jacobians).sum(1) / 1e-3
    np.testing.assert_allclose(np.exp(-logvars), precision, rtol=1e-4)
    np.testing.assert_allclose(sampled, expected, atol=1e-5)
    scaled = jacobians * np.exp(logvars / 2)[:, None]
    np.testing.assert_allclose(of_noise, scaled, atol=1e-5)


def test_encoder_and_decoder_are_exported_once(model_dir):
    with tf.Graph().as_default():
        hub.Module(str(model_dir / "tfhub"))
        weights = {v.op.name.partition("/")[2] for v in tf.global_variables()}
    networks = {"encoder/hidden1", "encoder/means", "encoder/log_var"}
    networks |= {"decoder/hidden1", "decoder/output"}
    assert weights == {f"{name}/{kind}" for name in networks for kind in ("kernel", "bias")}


@pytest.mark.parametrize("name, number", [("beta", 0), ("beta", -1.0), ("orthogonality", -0.5)])
def test_a_number_out_of_range_is_refused(name, number):
    with pytest.raises(InputError, match=rf"linearized_vae.{name} = {number!r}; it must be a"):
        models.LinearizedVAE(**{"beta": 1.0, name: number})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "4", None, True])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(InputError, match="orthogonality = .*must be a finite number from 0 on"):
        models.LinearizedVAE(beta=1.0, orthogonality=number)
    with pytest.raises(InputError, match="beta = .*must be a finite number above 0"):
        models.LinearizedVAE(beta=number)


@pytest.mark.parametrize("points", [0, -1, 2.5])
def test_penalty_points_are_a_whole_number_of_at_least_1(points):
    with pytest.raises(InputError, match="linearized_vae.penalty_points = .*whole number from 1"):
        models.LinearizedVAE(beta=1.0, penalty_points=points)


@pytest.mark.parametrize(
    "bindings, message",
    [
        (["linearized_vae.penalty_points = 33"], "penalty_points = 33, but a batch has 32 points"),
        (
            ["decoder.decoder_fn = @rounding_decoder"],
            "decoder.decoder_fn = @rounding_decoder has none: .*rounding",
        ),
        (
            ["decoder.decoder_fn = @softsign_decoder"],
            "decoder.decoder_fn = @softsign_decoder has none: .*SoftsignGrad",
        ),
        (
            ["reconstruction_loss.loss_fn = @absolute_error"],
            "loss_fn = @absolute_error with .*'linear'. Take @squared_error",
        ),
        (
            ["reconstruction_loss.loss_fn = @bernoulli_loss"],
            "loss_fn = @bernoulli_loss with reconstruction_loss.activation = 'linear'",
        ),
        (
            ["linearized_vae.orthogonality = -1"],
            "orthogonality = -1; it must be a finite number from 0",
        ),
    ],
)
def test_bad_input_is_one_message_before_the_first_step(tmp_path, bindings, message):
    with pytest.raises(InputError, match=message):
        trained(tmp_path / "m", VECTORS, *LINEARIZED, "model.training_steps = 10", *bindings)
    assert not list(tmp_path.iterdir())
