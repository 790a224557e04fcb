# SPDX-License-Identifier: Apache-2.0
"""A user's own encoders and decoders, through training, export and evaluation."""

import json

import gin
import numpy as np
import pytest
from engine_support import assert_same, tf, train, variables
from parameters_support import long_but

# isort: split
import tensorflow as tf2

from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.engine.in_graph import training_graph
from vae_ortho_plugin.errors import InputError

KERAS = {"keras_3": tf2.keras.layers, "keras_2": tf.keras.layers}
QUICK = ["model.eval_steps = 2", "synth_linear.num_points = 100"]
_layer_of_another_graph = []


def _heads(hidden, num_latent):
    return tf.layers.dense(hidden, num_latent), tf.layers.dense(hidden, num_latent)


@gin.configurable("keras_encoder", module="own")
def keras_encoder(input_tensor, num_latent, is_training=True, version="keras_3"):
    layers = KERAS[version]
    hidden = layers.Dense(5, activation="tanh")(tf.layers.flatten(input_tensor))
    hidden = layers.BatchNormalization(momentum=0.75)(hidden, training=is_training)
    return layers.Dense(num_latent)(hidden), layers.Dense(num_latent)(hidden)


@gin.configurable("keras_decoder", module="own")
def keras_decoder(latent_tensor, output_shape, is_training=True, version="keras_3"):
    layers = KERAS[version]
    hidden = layers.Dense(4, activation="tanh")(latent_tensor)
    hidden = layers.Dropout(0.5)(hidden, training=is_training)
    model = (tf2.keras if version == "keras_3" else tf.keras).Sequential([layers.Dense(3)])
    return tf.reshape(model(hidden), [-1, *output_shape])


@gin.configurable("own_encoder", module="own")
def own_encoder(input_tensor, num_latent, is_training=True, kind=""):
    return _heads(OWN[kind](tf.layers.flatten(input_tensor), is_training), num_latent)


def _collections(x, is_training):
    hidden = tf.layers.dense(x, 5)
    tf.add_to_collection("my_activations", hidden)
    tf.add_to_collection("my_number", 3)
    tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, hidden)
    tf.summary.histogram("hidden", hidden)
    tf.summary.image("seen", tf.reshape(x, [-1, 3, 1, 1]))
    return hidden


def _initial_value(x, is_training):
    return tf.matmul(x, tf.Variable(tf.random_normal([3, 5]), name="w"))


def _generator(x, is_training):
    generator = tf2.random.Generator.from_seed(1)
    return x + generator.normal(tf.shape(x)) if is_training else x


def _draws(x, is_training):
    if is_training:
        x += tf.truncated_normal(tf.shape(x))
        x += tf.cast(tf.random_uniform(tf.shape(x), 0, 3, tf.int32), tf.float32)
        shifted = tf.random_normal(tf.shape(x)), tf.random_uniform(tf.shape(x))
        x = tf.cond(tf.reduce_mean(x) > 1, lambda: x + shifted[0], lambda: x - shifted[1])
    hidden = tf.layers.batch_normalization(tf.layers.dense(x, 5), training=is_training)
    return tf.layers.dropout(hidden, 0.5, training=is_training)


def _python(x, is_training):
    result = tf.py_func(lambda array: array * 2, [x], tf.float32)
    result.set_shape(x.shape)
    return result


def _layer_made_once(x, is_training):
    if not _layer_of_another_graph:
        _layer_of_another_graph.append(tf2.keras.layers.Dense(5))
    return _layer_of_another_graph[0](x)


def _other_variable_each_time(x, is_training):
    number = len(_layer_of_another_graph)
    _layer_of_another_graph.append(number)
    return tf.layers.dense(x, 5, name=f"number_{number}")


OWN = {
    function.__name__.strip("_"): function
    for function in (
        _collections,
        _draws,
        _generator,
        _initial_value,
        _layer_made_once,
        _other_variable_each_time,
        _python,
    )
}


@pytest.fixture(autouse=True)
def no_layer():
    _layer_of_another_graph.clear()


def trained(directory, *bindings, steps=8):
    steps = f"model.training_steps = {steps}"
    train.train_with_gin(str(directory), False, ["beta_vae.gin"], [steps, *QUICK, *bindings])
    return directory


def keras(version):
    return [
        "encoder.encoder_fn = @own.keras_encoder",
        "decoder.decoder_fn = @own.keras_decoder",
        f"keras_encoder.version = '{version}'",
        f"keras_decoder.version = '{version}'",
    ]


def own(kind):
    return ["encoder.encoder_fn = @own.own_encoder", f"own_encoder.kind = '{kind}'"]


def weights(directory):
    return variables(directory / "tf_checkpoint")


@pytest.fixture(
    scope="module",
    params=long_but(
        ["keras_2 loop", "keras_3 xla", "keras_3 step"],
        [f"{version} {way}" for version in KERAS for way in ("loop", "xla", "step")],
    ),
)
def of_keras(request, tmp_path_factory):
    """Version of Keras and directory of a model of its layers, trained for two steps in one of the ways."""
    version, way = request.param.split()
    xla = f"training_loop.xla = '{'on' if way == 'xla' else 'off'}'"
    directory = tmp_path_factory.mktemp("keras") / "model"
    with pytest.MonkeyPatch.context() as patch:
        if way == "step":
            patch.setattr(training_graph.inputs, "loop_input", lambda *_: None)
        trained(directory, *keras(version), xla, "AdamOptimizer.learning_rate = 0.01", steps=2)
    return version, directory


def test_keras_layers_are_exported_with_their_trained_weights(of_keras):
    _, directory = of_keras
    values = weights(directory)
    hidden, output = (
        [values[f"decoder/{name}/{part}"] for part in ("kernel", "bias")]
        for name in sorted(n[8:-7] for n in values if n[:8] + n[-7:] == "decoder//kernel")
    )
    latents = np.random.RandomState(0).standard_normal((6, 2)).astype(np.float32)
    expected = np.tanh(latents @ hidden[0] + hidden[1]) @ output[0] + output[1]
    with open_model(str(directory)) as model:
        np.testing.assert_allclose(model.decode(latents).reshape(6, 3), expected, atol=1e-5)
    # Each variable once, though the export calls the decoder twice.
    assert len([n for n in values if n[:7] == "decoder" and n.endswith(("kernel", "bias"))]) == 4


def test_all_weights_of_keras_layers_are_trained(of_keras):
    values = weights(of_keras[1])
    trained = [name for name in values if name.endswith(("kernel", "bias"))]
    assert len(trained) == 10
    # Adam's mean of their gradients.
    assert all(np.abs(values[f"{name}/Adam"]).max() > 0 for name in trained)


def test_moving_averages_and_seeds_of_keras_layers_are_updated_in_each_step(of_keras):
    version, directory = of_keras
    values = weights(directory)
    # Of variances at most 1 (after tanh), starting from 1: 0.75² + 0.25 v₁ 0.75 + 0.25 v₂.
    moving = values["encoder/batch_normalization/moving_variance"]
    assert (moving >= 0.75**2).all() and (moving < 0.75**2 + 0.4375 * 0.5).all()
    assert np.abs(values["encoder/batch_normalization/moving_mean"]).max() > 1e-3
    if version == "keras_3":
        assert values["decoder/seed_generator/seed_generator_state"][1] == 2


@pytest.mark.long
@pytest.mark.parametrize("version", KERAS)
def test_keras_layers_give_the_same_weights_in_each_training_run_with_a_seed(tmp_path, version):
    first = weights(trained(tmp_path / "0", *keras(version)))
    assert_same(first, weights(trained(tmp_path / "1", *keras(version))))
    other = weights(trained(tmp_path / "2", *keras(version), "model.random_seed = 1"))
    kernel = "encoder/dense/kernel"
    assert np.abs(first[kernel] - other[kernel]).max() > 0.01


@pytest.mark.parametrize("kind", long_but(["draws"], ["collections", "draws"]))
def test_a_training_run_in_two_parts_is_the_one_in_one(tmp_path, kind):
    bindings = [*own(kind), "training_loop.xla = 'off'"]
    whole = weights(trained(tmp_path / "whole", *bindings, steps=6))
    bindings += ["training_loop.iterations_per_loop = 3"]
    assert_same(whole, weights(trained(tmp_path / "parts", *bindings, steps=6)))


@pytest.mark.parametrize("kind", long_but(["initial_value"], ["initial_value", "generator"]))
def test_a_model_that_falls_back_to_single_steps_is_evaluated_and_exported(
    tmp_path, kind, session_calls, capsys
):
    directory = trained(tmp_path / "model", *own(kind), steps=4)
    assert session_calls == [1] * 4
    assert "one step per session call, because the model cannot loop" in capsys.readouterr().err
    result = json.loads((directory / "results/json/train_results.json").read_text())
    assert result["global_step"] == 4 and np.isfinite(result["loss"])
    with open_model(str(directory)) as model:
        assert model.encode(np.zeros((2, 3, 1, 1), np.float32)).shape == (2, 2)


@pytest.mark.parametrize(
    "kind, message",
    [
        ("python", "calls a Python function in its graph"),
        ("layer_made_once", "can be trained, but not exported"),
        ("other_variable_each_time", "for its export, and its training run has no such variables"),
    ],
)
def test_what_cannot_be_exported_is_said_before_the_first_step(
    tmp_path, kind, message, session_calls
):
    with pytest.raises(InputError, match=message):
        trained(tmp_path / "model", *own(kind), "training_loop.xla = 'off'")
    assert sum(session_calls) == 0
    assert list(tmp_path.iterdir()) == []
