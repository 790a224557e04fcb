# SPDX-License-Identifier: Apache-2.0

import re

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split

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
    assert "one step per session call" not in error
    weights = variables(tmp_path / "1")
    assert weights["w"].min() > 1
    assert_same(weights, variables(tmp_path / "20"))


@pytest.mark.parametrize("read", [generated, resident], ids=["generated", "resident"])
def test_an_input_function_that_works_on_its_batches_trains_step_by_step(
    tmp_path, session_calls, capsys, read
):
    def half_as_bright(params):
        batch = read(params)
        return batch * 0.5

    estimator(tmp_path, mean_model).train(half_as_bright, steps=30)
    assert session_calls == [1] * 30
    error = capsys.readouterr().err
    assert "one step per session call, because the input function does more" in error
    assert variables(tmp_path)["global_step"] == 30
    assert np.abs(variables(tmp_path)["w"]).min() > 0.01


def test_a_model_that_cannot_loop_trains_step_by_step(tmp_path, session_calls, capsys):
    def starts_from_a_batch(features, labels, mode, params):
        weight = tf.Variable(lambda: tf.reduce_mean(features), name="w")
        loss = tf.square(weight - tf.reduce_mean(features))
        optimizer = tf.train.GradientDescentOptimizer(0.1)
        train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
        return TPUEstimatorSpec(mode=mode, loss=loss, train_op=train_op)

    estimator(tmp_path, starts_from_a_batch).train(generated, steps=5)
    assert session_calls == [1] * 5
    assert "one step per session call, because the model" in capsys.readouterr().err


def test_a_models_own_error_is_not_replaced(tmp_path):
    def broken(features, labels, mode, params):
        raise KeyError("of the model")

    with pytest.raises(KeyError, match="of the model"):
        estimator(tmp_path, broken).train(resident, steps=5)


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="XLA compiles convolutions for a GPU"
)
def test_convolutions_are_trained_without_xla_on_a_cpu(tmp_path, capsys):
    estimator(tmp_path, conv_model).train(resident, steps=5)
    error = capsys.readouterr().err
    assert re.search(r"training on [\w ]+ without XLA, because Conv2D is faster without it", error)


def test_resident_data_are_trained_by_xla(tmp_path, capsys):
    estimator(tmp_path, mean_model).train(resident, steps=5)
    error = capsys.readouterr().err
    assert "without XLA" not in error and "trained 5 steps" in error
