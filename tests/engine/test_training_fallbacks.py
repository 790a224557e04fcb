# SPDX-License-Identifier: Apache-2.0
"""Ways to train, and why one is taken."""

import gin
import numpy as np
import pytest
from engine_support import (
    assert_same,
    estimator,
    generated,
    mean_model,
    resident,
    tf,
    training_spec,
    variables,
)


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
    return training_spec(loss, tf.train.GradientDescentOptimizer(0.1))


def logs_many_numbers(features, labels, mode, params):
    weight = tf.get_variable("w", [64], initializer=tf.zeros_initializer())
    hook = tf.train.LoggingTensorHook({"w": weight.read_value()}, 10)
    loss = tf.reduce_sum(tf.square(weight - tf.reduce_mean(features)))
    return training_spec(loss, tf.train.GradientDescentOptimizer(0.1), training_hooks=[hook])


@pytest.mark.parametrize(
    ("model", "read", "why"),
    [
        (mean_model, lambda params: generated(params) * 0.5, "the input function does more"),
        (mean_model, lambda params: resident(params) * 0.5, "the input function does more"),
        (starts_from_a_batch, generated, "the model"),
        (logs_many_numbers, generated, "it logs 65 numbers a step, more than 64"),
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


def hidden_by(layer):
    """A model of one hidden layer."""

    def model(features, labels, mode, params):
        loss = tf.reduce_mean(tf.square(layer(features)))
        return training_spec(loss, tf.train.GradientDescentOptimizer(0.01))

    return model


def test_a_variable_whose_shape_is_not_known_is_trained(tmp_path):
    def layer(features):
        weight = tf.Variable(tf.ones([3, 2]), shape=tf.TensorShape(None), name="w")
        return tf.matmul(tf.layers.flatten(features), tf.reshape(weight.read_value(), [3, 2]))

    gin.bind_parameter("training_loop.xla", "off")
    estimator(tmp_path, hidden_by(layer)).train(resident, steps=20)
    assert 0 < variables(tmp_path)["w"].min() < 0.99


def looping(features):
    """XLA has no gradient of a loop without a largest number of iterations."""
    hidden = tf.layers.dense(features, 5)
    return tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(h)), [0, hidden])[1]


@pytest.mark.parametrize(
    ("layer", "xla", "how"),
    [
        (lambda x: tf.layers.dense(x, 2), "auto", "by XLA"),
        (looping, "on", "without XLA, because XLA compilation requires"),
        pytest.param(
            lambda x: tf.layers.conv2d(x, 2, 1),
            "auto",
            "without XLA, because Conv2D is faster without it on a CPU",
            marks=pytest.mark.skipif(
                bool(tf.config.list_physical_devices("GPU")), reason="compiled for a GPU"
            ),
        ),
    ],
)
def test_what_xla_cannot_compile_or_not_make_faster_is_trained_without_it(
    tmp_path, capsys, layer, xla, how
):
    gin.bind_parameter("training_loop.xla", xla)
    estimator(tmp_path, hidden_by(layer)).train(resident, steps=5)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert how in first and "trained 5 steps" in last
