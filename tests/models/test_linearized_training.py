# SPDX-License-Identifier: Apache-2.0
"""The linearized VAE in dlib's pipeline, and what it refuses."""

import gin
import numpy as np
import pytest
from models_support import IMAGES, VARIANCE, VECTORS, tf, trained

# isort: split
import tensorflow_hub as hub

from vae_ortho_plugin import models
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import InputError

LINEARIZED = [
    "model.model = @linearized_vae()",
    "linearized_vae.beta = 1e-3",
    "linearized_vae.orthogonality = 4.0",
]
LONG = pytest.mark.long
TRACKED = ["polarized_regime.every = 20", "dto_while_training.every = 20"]


DENSE = ["encoder.encoder_fn = @fc_encoder", "decoder.decoder_fn = @fc_decoder"]


@pytest.mark.parametrize(
    ("loss", "networks"), [("bernoulli_loss", []), pytest.param("l2_loss", DENSE, marks=LONG)]
)
def test_it_trains_with_dlibs_networks_and_losses(tmp_path, loss, networks):
    loss = f"reconstruction_loss.loss_fn = @{loss}"
    outcome = trained(tmp_path / "m", IMAGES, *LINEARIZED, *networks, loss)
    assert outcome["global_step"] == 2
    assert np.isfinite([outcome[key] for key in ("loss", "elbo", "kl_loss", "regularizer")]).all()


@pytest.fixture(scope="module", params=["on", pytest.param("off", marks=LONG)])
def learned(request, tmp_path_factory):
    """Directory and results of a model that was trained with trackers, by XLA or without it."""
    xla, points = request.param, 8 if request.param == "on" else None
    directory = tmp_path_factory.mktemp("linearized") / "m"
    more = [f"linearized_vae.penalty_points = {points}", f"training_loop.xla = '{xla}'"]
    gin.clear_config()
    outcome = trained(
        directory, VECTORS, *LINEARIZED, *more, *TRACKED, "model.training_steps = 400"
    )
    gin.clear_config()
    return directory, outcome


def test_it_learns_and_can_be_tracked_in_the_compiled_and_in_the_plain_loop(learned):
    _, outcome = learned
    assert outcome["reconstruction_loss"] < VARIANCE / 3
    assert len(outcome["polarized_regime"]["delta_kl"]) == 20
    dto = outcome["dto_while_training"]["dto"]
    assert len(dto) == 21 and dto[-1] < 0.3


def test_the_exported_posterior_is_the_closed_form_at_the_exported_decoder(learned):
    images = np.random.default_rng(0).uniform(size=(9, 3, 1, 1)).astype(np.float32)
    with open_model(str(learned[0])) as model:
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


def test_encoder_and_decoder_are_exported_once(learned):
    with tf.Graph().as_default():
        hub.Module(str(learned[0] / "tfhub"))
        weights = {v.op.name.partition("/")[2] for v in tf.global_variables()}
    networks = {"encoder/hidden1", "encoder/means", "encoder/log_var"}
    networks |= {"decoder/hidden1", "decoder/output"}
    assert weights == {f"{name}/{kind}" for name in networks for kind in ("kernel", "bias")}


@pytest.mark.parametrize(
    ("name", "wrong", "needed"),
    [
        ("beta", [0, -1.0, float("nan"), "4", None], "a finite number above 0"),
        ("orthogonality", [-0.5, float("inf"), True, None], "a finite number from 0 on"),
        ("penalty_points", [0, -1, 2.5], "a whole number from 1"),
    ],
)
def test_a_number_out_of_range_is_refused(name, wrong, needed):
    for value in wrong:
        message = rf"linearized_vae.{name} = {value!r}; it must be {needed}"
        with pytest.raises(InputError, match=message):
            models.LinearizedVAE(**{"beta": 1.0, name: value})


def test_bad_input_is_one_message_before_the_first_step(tmp_path):
    points = "linearized_vae.penalty_points = 33"
    with pytest.raises(InputError, match="penalty_points = 33, but a batch has 32 points"):
        trained(tmp_path / "m", VECTORS, *LINEARIZED, "model.training_steps = 10", points)
    assert not list(tmp_path.iterdir())
