# SPDX-License-Identifier: Apache-2.0
"""What a user's model reports while it trains: summaries, logging hooks, step counters."""

import contextlib
import io
import re
import types
import unittest

import gin
import numpy as np
import pytest
from engine_support import assert_same, estimator, resident, tf, training_spec, variables

from vae_ortho_plugin.engine.estimator import TPUEstimatorSpec
from vae_ortho_plugin.errors import InputError

imported_by_name = tf.summary.histogram

# Words on standard error that tell how a model is trained.
WAYS = {"loop": "without XLA\n", "xla": "by XLA", "step": "one step per session call"}


def reporting(report=lambda weight: None, hooks=lambda weight: []):
    """A model that reports: before step n, w = 0.99^(n−1); the loss is w²."""

    def model(features, labels, mode, params):
        weight = tf.get_variable("w", [], initializer=tf.ones_initializer()).read_value()
        loss = tf.square(weight) + 0 * tf.reduce_mean(tf.cast(features, tf.float32))
        tf.summary.scalar("weight", weight)
        report(weight)
        if mode == "eval":
            return TPUEstimatorSpec(mode=mode, loss=loss)
        optimizer = tf.train.GradientDescentOptimizer(0.005)
        return training_spec(loss, optimizer, training_hooks=hooks(weight))

    return model


def all_summaries(weight):
    # Not a constant: 3 pictures of brightness w, of which 2 are shown.
    tf.summary.image("grey", tf.ones([3, 4, 5, 1]) * weight, max_outputs=2)
    with tf.name_scope("layer"):
        tf.summary.histogram("weights", weight * tf.constant([1.0, 2.0, 3.0]))
    imported_by_name("named", weight[tf.newaxis])
    tf.summary.audio("sound", tf.ones([1, 100, 1]) * weight, 1000)
    tf.summary.merge_all()


def with_text(weight):
    all_summaries(weight)
    tf.summary.text("text", tf.constant("of the model"))  # XLA has no strings


def all_hooks(weight):
    return [
        tf.train.LoggingTensorHook({"v": weight}, every_n_iter=15),
        tf.train.LoggingTensorHook({"w": weight}, every_n_secs=1e-9),
        tf.train.LoggingTensorHook({"w": weight}, at_end=True, formatter=lambda v: f"end {v}"),
        tf.train.StepCounterHook(every_n_steps=10),
    ]


@pytest.fixture(scope="module", params=WAYS)
def reported(request, tmp_path_factory):
    """A model with all these reports, trained for 40 steps: by what way, where, and what was logged."""
    way, directory = request.param, tmp_path_factory.mktemp(request.param)
    model_fn = reporting(all_summaries if way == "xla" else with_text, all_hooks)
    model = estimator(directory, model_fn, save_summary_steps=10)
    xla = "on" if way == "xla" else "off"
    gin.parse_config([f"training_loop.xla = '{xla}'", "training_loop.iterations_per_loop = 5"])
    with (
        contextlib.redirect_stderr(io.StringIO()) as said,
        unittest.TestCase().assertLogs("tensorflow", "INFO") as logs,
    ):
        # Step by step where the input function does more than read.
        model.train(
            lambda params: resident(params) * 1.0 if way == "step" else resident(params), 40
        )
    gin.clear_config()
    assert WAYS[way] in said.getvalue()
    lines = [record.getMessage() for record in logs.records]
    return types.SimpleNamespace(way=way, model=model, directory=directory, lines=lines)


@pytest.fixture
def events(reported):
    """Tag → [(step, value)] of the event file."""
    (path,) = reported.directory.glob("events.out.tfevents.*")
    found = {}
    for event in tf.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def test_summaries_are_written_at_their_steps_with_their_values(reported, events):
    for tag in ("grey/image/0", "grey/image/1", "layer/weights", "named", "sound/audio/0"):
        assert [step for step, _ in events[tag]] == [1, 11, 21, 31]
    assert "grey/image/2" not in events
    for step, value in events["layer/weights"]:
        assert value.histo.num == 3
        assert value.histo.sum == pytest.approx(6 * 0.99 ** (step - 1), rel=1e-5)
    image = events["grey/image/0"][0][1].image
    assert (image.height, image.width) == (4, 5)
    assert events["sound/audio/0"][0][1].audio.sample_rate == 1000
    for tag, base in (("weight", 0.99), ("loss", 0.99**2)):
        scalars = [(step, value.simple_value) for step, value in events[tag]]
        expected = [(step, pytest.approx(base ** (step - 1))) for step in (1, 11, 21, 31)]
        assert scalars == expected
    if reported.way != "xla":
        text = {value.tensor.string_val[0] for _, value in events["text"]}
        assert text == {b"of the model"}


def test_hooks_log_after_steps_after_seconds_and_at_the_end(reported):
    steps = {"v": [], "w": []}
    for line in reported.lines:
        if found := re.fullmatch(r"([vw]) = (\S+) \(step (\d+)\)", line):
            steps[found[1]].append(int(found[3]))
            assert float(found[2]) == pytest.approx(0.99 ** (int(found[3]) - 1), rel=1e-5)
    assert steps["v"] == [1, 16, 31]
    # After each session call, which has 5 steps at most and ends where a summary of images is due.
    assert {1, 11, 21, 31, 40} <= set(steps["w"]) and max(np.diff(steps["w"])) <= 5
    (end,) = [line for line in reported.lines if line.startswith("end ")]
    assert float(end.rpartition(" ")[2].rstrip("}")) == pytest.approx(0.99**39)


def test_a_step_counter_reports_steps_per_second(reported, events):
    rates = events["global_step/sec"]
    assert [step for step, _ in rates] == [11, 21, 31]
    assert all(np.isfinite(value.simple_value) and value.simple_value > 0 for _, value in rates)


def test_reports_change_no_weight_and_no_evaluation(reported, tmp_path):
    gin.bind_parameter("training_loop.xla", "on" if reported.way == "xla" else "off")
    silent = estimator(tmp_path, reporting()).train(resident, 40)
    assert_same(variables(reported.directory), variables(tmp_path))
    results = [one.evaluate(lambda params: resident(params, 3)) for one in (reported.model, silent)]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda weight: tf.train.StopAtStepHook(num_steps=3),
        lambda weight: type("Mine", (tf.train.LoggingTensorHook,), {})({"w": weight}, 1),
    ],
)
def test_another_hook_is_refused_before_the_first_step(tmp_path, session_calls, make):
    with pytest.raises(InputError, match="asks for a training hook (StopAtStep|Mine)"):
        model = reporting(hooks=lambda weight: [make(weight)])
        estimator(tmp_path, model).train(resident, steps=5)
    assert session_calls == []
