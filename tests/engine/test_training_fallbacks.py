# SPDX-License-Identifier: Apache-2.0
"""Ways to train, and why one is taken."""

import re

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
import tensorflow.compat.v1 as tf
from engine_support import (  # noqa: F401
    assert_same,
    estimator,
    fresh_gin,
    generated,
    mean_model,
    resident,
    session_calls,
    variables,
)

from vae_ortho_plugin.engine.estimator import TPUEstimatorSpec


def conv_model(features, labels, mode, params):
    hidden = tf.layers.conv2d(features, 2, 1)
    loss = tf.reduce_mean(tf.square(hidden))
    optimizer = tf.train.GradientDescentOptimizer(0.01)
    train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    return TPUEstimatorSpec(mode=mode, loss=loss, train_op=train_op)


def test_data_of_a_generator_train_in_the_loop(tmp_path, session_calls, capsys):
    for steps in (1, 20):
        gin.bind_parameter("training_loop.iterations_per_loop", steps)
        session_calls.clear()
        estimator(tmp_path / f"{steps}", mean_model).train(generated, steps=40)
        assert sum(session_calls) == 40 and (len(session_calls) == 40) == (steps == 1)
    error = capsys.readouterr().err
    assert "without XLA, because its data come from a Python generator" in error
    weights = variables(tmp_path / "1")
    assert weights["w"].min() > 1
    assert_same(weights, variables(tmp_path / "20"))


def starts_from_a_batch(features, labels, mode, params):
    """A model that cannot loop."""
    weight = tf.Variable(lambda: tf.reduce_mean(features), name="w")
    loss = tf.square(weight - tf.reduce_mean(features))
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    return TPUEstimatorSpec(mode=mode, loss=loss, train_op=train_op)


@pytest.mark.parametrize(
    ("model", "read", "why"),
    [
        (mean_model, lambda params: generated(params) * 0.5, "the input function does more"),
        (mean_model, lambda params: resident(params) * 0.5, "the input function does more"),
        (starts_from_a_batch, generated, "the model"),
    ],
)
def test_what_cannot_loop_trains_step_by_step(tmp_path, session_calls, capsys, model, read, why):
    estimator(tmp_path, model).train(read, steps=30)
    assert session_calls == [1] * 30
    assert f"one step per session call, because {why}" in capsys.readouterr().err
    assert variables(tmp_path)["global_step"] == 30
    assert np.abs(variables(tmp_path)["w"]).min() > 0.01


def test_a_models_own_error_is_not_replaced(tmp_path):
    def broken(features, labels, mode, params):
        raise KeyError("of the model")

    with pytest.raises(KeyError, match="of the model"):
        estimator(tmp_path, broken).train(resident, steps=5)


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="XLA compiles convolutions for a GPU"
)
def test_convolutions_are_trained_without_xla_on_a_cpu_and_dense_layers_by_it(tmp_path, capsys):
    estimator(tmp_path / "conv", conv_model).train(resident, steps=5)
    error = capsys.readouterr().err
    assert re.search(r"training on [\w ]+ without XLA, because Conv2D is faster without it", error)
    estimator(tmp_path / "mean", mean_model).train(resident, steps=5)
    error = capsys.readouterr().err
    assert "by XLA" in error and "trained 5 steps" in error
