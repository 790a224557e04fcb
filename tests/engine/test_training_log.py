# SPDX-License-Identifier: Apache-2.0
"""What a user's model reports while it trains: summaries, logging hooks, step counters."""

import logging

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
    resident,
    session_calls,
    variables,
)
from tensorflow.compat.v1.summary import histogram as imported_by_name

from vae_ortho_plugin.engine.estimator import TPUEstimatorSpec
from vae_ortho_plugin.errors import InputError


def reporting(report=lambda weight, features: None, hooks=lambda weight: []):
    """A model that reports: before step n, w = 0.99^(n−1); the loss is w²."""

    def model(features, labels, mode, params):
        weight = tf.get_variable("w", [], initializer=tf.ones_initializer()).read_value()
        loss = tf.square(weight) + 0 * tf.reduce_mean(tf.cast(features, tf.float32))
        tf.summary.scalar("weight", weight)
        report(weight, features)
        if mode == "eval":
            return TPUEstimatorSpec(mode=mode, loss=loss)
        optimizer = tf.train.GradientDescentOptimizer(0.005)
        return TPUEstimatorSpec(
            mode=mode,
            loss=loss,
            train_op=optimizer.minimize(loss, global_step=tf.train.get_global_step()),
            training_hooks=hooks(weight),
        )

    return model


def events(directory):
    (path,) = directory.glob("events.out.tfevents.*")
    found = {}
    for event in tf.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


@pytest.fixture(params=["loop", "xla", "step"])
def way(request):
    """How a training runs; for step by step, the input function does more than read."""
    gin.bind_parameter("training_loop.xla", "on" if request.param == "xla" else "off")
    if request.param == "step":
        return lambda params: resident(params) * 1.0
    return resident


def pictures(weight, features):
    # Not a constant: 3 pictures of brightness w, of which 2 are shown.
    grey = tf.ones([3, 4, 5, 1]) * weight
    tf.summary.image("grey", grey, max_outputs=2)
    with tf.name_scope("layer"):
        tf.summary.histogram("weights", weight * tf.constant([1.0, 2.0, 3.0]))
    imported_by_name("named", weight[tf.newaxis])
    tf.summary.merge_all()


def test_images_and_histograms_are_written_at_their_steps_with_their_values(tmp_path, way):
    estimator(tmp_path, reporting(pictures), save_summary_steps=10).train(way, steps=25)
    found = events(tmp_path)
    for tag in ("grey/image/0", "grey/image/1", "layer/weights", "named"):
        assert [step for step, _ in found[tag]] == [1, 11, 21]
    assert "grey/image/2" not in found
    for step, value in found["layer/weights"]:
        weight = 0.99 ** (step - 1)
        assert value.histo.num == 3
        assert value.histo.sum == pytest.approx(6 * weight, rel=1e-5)
    image = found["grey/image/0"][0][1].image
    assert (image.height, image.width) == (4, 5)
    scalars = [(step, value.simple_value) for step, value in found["weight"]]
    assert scalars == [(step, pytest.approx(0.99 ** (step - 1))) for step in (1, 11, 21)]


def test_summaries_of_images_change_no_weight(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    estimator(tmp_path / "with", reporting(pictures)).train(resident, steps=250)
    estimator(tmp_path / "without", reporting()).train(resident, steps=250)
    assert_same(variables(tmp_path / "with"), variables(tmp_path / "without"))


def test_text_and_audio_are_written(tmp_path):
    def report(weight, features):
        tf.summary.text("text", tf.constant("of the model"))
        tf.summary.audio("sound", tf.ones([1, 100, 1]) * weight, 1000)

    estimator(tmp_path, reporting(report)).train(resident, steps=5)
    found = events(tmp_path)
    assert sorted(found) == ["loss", "sound/audio/0", "text", "weight"]
    assert [value.tensor.string_val[0] for _, value in found["text"]] == [b"of the model"]
    assert found["sound/audio/0"][0][1].audio.sample_rate == 1000


def test_an_evaluation_of_a_model_with_summaries_works(tmp_path):
    trained = estimator(tmp_path, reporting(pictures))
    trained.train(resident, steps=5)
    assert trained.evaluate(lambda params: resident(params, 3))["global_step"] == 5


@pytest.fixture
def logged(caplog):
    before = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.INFO)
    logger = logging.getLogger("tensorflow")
    propagate, logger.propagate = logger.propagate, True
    yield caplog
    logger.propagate = propagate
    tf.logging.set_verbosity(before)


def test_a_logging_hook_of_seconds_logs(tmp_path, logged):
    def hooks(weight):
        return [tf.train.LoggingTensorHook({"w": weight}, every_n_secs=1e-9)]

    gin.bind_parameter("training_loop.iterations_per_loop", 5)
    estimator(tmp_path, reporting(hooks=hooks)).train(resident, steps=15)
    lines = [record.getMessage() for record in logged.records if "w = " in record.getMessage()]
    assert [line.rpartition("(")[2] for line in lines] == ["step 5)", "step 10)", "step 15)"]
    assert float(lines[1].split()[2]) == pytest.approx(0.99**9)


def test_a_logging_hook_may_log_at_the_end_alone_and_format(tmp_path, logged):
    def hooks(weight):
        return [
            tf.train.LoggingTensorHook({"w": weight}, at_end=True, formatter=lambda v: f"end {v}")
        ]

    estimator(tmp_path, reporting(hooks=hooks)).train(resident, steps=15)
    (line,) = [record.getMessage() for record in logged.records if "end" in record.getMessage()]
    assert float(line.rpartition(" ")[2].rstrip("}")) == pytest.approx(0.99**14)


def test_a_step_counter_reports_steps_per_second(tmp_path):
    def hooks(weight):
        return [tf.train.StepCounterHook(every_n_steps=10)]

    gin.bind_parameter("training_loop.iterations_per_loop", 5)
    estimator(tmp_path, reporting(hooks=hooks)).train(resident, steps=40)
    rates = events(tmp_path)["global_step/sec"]
    assert [step for step, _ in rates] == [15, 25, 35]
    assert all(np.isfinite(value.simple_value) and value.simple_value > 0 for _, value in rates)


@pytest.mark.parametrize(
    "make",
    [
        lambda weight: tf.train.StopAtStepHook(num_steps=3),
        lambda weight: tf.train.NanTensorHook(weight),
        lambda weight: type("Mine", (tf.train.LoggingTensorHook,), {})({"w": weight}, 1),
    ],
)
def test_another_hook_is_refused_before_the_first_step(tmp_path, session_calls, make):
    with pytest.raises(InputError, match="asks for a training hook (StopAtStep|NanTensor|Mine)"):
        model = reporting(hooks=lambda weight: [make(weight)])
        estimator(tmp_path, model).train(resident, steps=5)
    assert session_calls == []
