# SPDX-License-Identifier: Apache-2.0
"""What no tracker can measure is refused before training."""

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import vae

# isort: split
import tensorflow.compat.v1 as tf
from engine_support import resident
from tracking_support import bindings, estimator, train_by_gin  # noqa: F401

from vae_ortho_plugin.engine.estimator import TPUEstimatorSpec
from vae_ortho_plugin.errors import InputError


def test_a_model_without_kl_divergence_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="Autoencoder has no KL divergence.*every = 0"):
        bindings = "model.training_steps = 5", "polarized_regime.every = 2"
        train_by_gin(tmp_path / "model", "autoencoder", *bindings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("polarized_regime.every", -1),
        ("polarized_regime.num_points", "all"),
        ("dto_while_training.every", 2.5),
        ("dto_while_training.num_points", 0),
    ],
)
def test_a_bad_setting_is_refused(tmp_path, parameter, value):
    gin.bind_parameter(parameter.partition(".")[0] + ".every", 2)
    gin.bind_parameter(parameter, value)
    with pytest.raises(InputError, match=f"{parameter} = {value!r}.*whole number"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)


def test_a_model_function_of_no_model_is_refused(tmp_path):
    class Nothing:
        @staticmethod
        def model_fn(features, labels, mode, params):
            return TPUEstimatorSpec(mode=mode)

    gin.bind_parameter("polarized_regime.every", 2)
    with pytest.raises(InputError, match="polarized_regime needs a model.*gaussian_encoder"):
        estimator(tmp_path, Nothing).train(resident, steps=5)


@pytest.mark.parametrize(
    "initial, message",
    [(lambda: tf.ones([3, 2]), "made new weights.*forgotten"), (np.ones([3, 2]), "failed")],
    ids=["made in the loop", "made outside"],
)
def test_an_encoder_that_makes_new_weights_when_called_again_is_refused(tmp_path, initial, message):
    class Forgetful(vae.BetaVAE):
        def gaussian_encoder(self, input_tensor, is_training):
            value = initial if callable(initial) else tf.constant(initial, tf.float32)
            weight = tf.Variable(value, name="forgotten")
            flat = tf.reshape(input_tensor, [-1, 3])
            return flat @ weight, flat @ weight

    gin.bind_parameter("polarized_regime.every", 2)
    with pytest.raises(InputError, match=f"networks once more, and that {message}.*every = 0"):
        estimator(tmp_path, Forgetful(1e-3)).train(resident, steps=5)


def test_dto_of_an_image_by_an_unknown_activation_is_refused(tmp_path):
    gin.bind_parameter("dto_while_training.every", 2)
    gin.bind_parameter("reconstruction_loss.activation", "relu")
    with pytest.raises(InputError, match="activation = 'relu' is unknown.*'linear', 'logits'"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)


def test_dto_of_more_latents_than_outputs_is_refused_before_training(tmp_path, capsys):
    gin.bind_parameter("encoder.num_latent", 4)
    gin.bind_parameter("dto_while_training.every", 2)
    with pytest.raises(InputError, match="3 outputs with respect to 4 latents"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)
    assert "trained" not in capsys.readouterr().err
