# SPDX-License-Identifier: Apache-2.0
import functools
import re
import unittest
from pathlib import Path

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from engine_support import (  # noqa: F401
    assert_same,
    decay_model,
    estimator,
    fresh_gin,
    generated,
    mean_model,
    resident,
    session_calls,
    variables,
)

from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.engine.settings import training_loop
from vae_ortho_plugin.engine.training_run import seconds_per_call
from vae_ortho_plugin.errors import InputError, NonFiniteLossError
from vae_ortho_plugin.files.gin_files import gin_config

BINDINGS = [
    "synth_linear.num_points = 1000",
    "AdamOptimizer.learning_rate = 0.01",
    "model.eval_steps = 5",
    "factor_vae.gamma = 1e-3",
    "discriminator.discriminator_fn = @small_discriminator",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
]


@gin.configurable("small_discriminator", denylist=["input_tensor", "is_training"])
def small_discriminator(input_tensor, is_training=False):
    logits = tf.layers.dense(tf.layers.flatten(input_tensor), 2, name="logits")
    return logits, tf.nn.softmax(logits)


def train_by_gin(directory, *bindings, model="vae", steps=60):
    settings = [f"model.model = @{model}()", f"model.training_steps = {steps}"]
    files = [str(gin_config("beta_vae.gin"))]
    train.train_with_gin(str(directory), False, files, [*BINDINGS, *settings, *bindings])
    return variables(directory / "tf_checkpoint")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """As `train_by_gin`, once for the same arguments."""

    @functools.cache
    def trained_once(*bindings, model="vae"):
        return train_by_gin(tmp_path_factory.mktemp("trained") / "model", *bindings, model=model)

    return trained_once


@pytest.mark.parametrize(("model", "xla"), [("vae", "on"), ("factor_vae", "off")])
def test_trained_weights_do_not_depend_on_steps_per_session_call(
    trained, session_calls, model, xla
):
    setting = f"training_loop.xla = '{xla}'"
    weights = trained(setting, "training_loop.iterations_per_loop = 7", model=model)
    assert max(session_calls) == 7
    # XLA may fuse the loops of different lengths differently.
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if xla == "on" else {}
    assert_same(weights, trained(setting, model=model), **tolerance)
    assert max(session_calls) > 7
    assert weights["global_step"] == 60


def test_xla_draws_the_same_points_noise_and_initial_weights(trained):
    off, on = (trained(f"training_loop.xla = '{xla}'") for xla in ("off", "on"))
    assert_same(off, on, rtol=1e-3, atol=1e-5)


def test_another_seed_trains_other_weights(trained):
    first = trained("training_loop.xla = 'off'")
    second = trained("training_loop.xla = 'off'", "model.random_seed = 1")
    kernel = "decoder/output/kernel"
    assert np.abs(first[kernel] - second[kernel]).max() > 0.01


def test_an_untrained_model_is_exported(tmp_path):
    weights = train_by_gin(tmp_path / "model", steps=0)
    assert weights["global_step"] == 0
    with tf.Graph().as_default(), tf.Session() as session:
        module = hub.Module(str(tmp_path / "model/tfhub"))
        decoded = module({"latent_vectors": np.eye(2)}, signature="decoder", as_dict=True)
        session.run(tf.global_variables_initializer())
        decoded = session.run(decoded["images"])
    expected = weights["decoder/output/kernel"] + weights["decoder/output/bias"]
    np.testing.assert_allclose(decoded.reshape(2, 3), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("xla", ["off", "on"])
def test_training_continued_from_a_checkpoint_is_training_in_one_go(tmp_path, xla):
    gin.bind_parameter("training_loop.xla", xla)
    estimator(tmp_path / "once", mean_model).train(resident, steps=60)
    estimator(tmp_path / "continued", mean_model).train(resident, steps=25)
    estimator(tmp_path / "continued", mean_model).train(resident, max_steps=60)
    once = variables(tmp_path / "once")
    assert np.abs(once["w"]).max() > 0.1
    assert_same(once, variables(tmp_path / "continued"), rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def decayed(tmp_path_factory):
    """The estimator of a decay_model that was trained for 250 steps, and the lines that it logged."""
    directory = tmp_path_factory.mktemp("decayed")
    intervals = {"save_summary_steps": 50, "save_checkpoints_steps": 100}
    with (
        gin.unlock_config(),
        unittest.TestCase().assertLogs("tensorflow", "INFO") as logs,
    ):
        gin.parse_config(["training_loop.xla = 'off'", "training_loop.iterations_per_loop = 33"])
        model = estimator(directory, **intervals).train(resident, steps=250)
        gin.clear_config()
    return model, logs.output


def test_hooks_log_at_their_interval_the_values_of_those_steps(decayed):
    lines = [line for line in decayed[1] if "weight = " in line]
    found = [re.search(r"weight = ([\d.e-]+) \(step (\d+)\)", line).groups() for line in lines]
    assert [int(step) for _, step in found] == [1, 101, 201]
    values = [float(value) for value, _ in found]
    np.testing.assert_allclose(values, 0.99 ** np.array([0, 100, 200]), rtol=1e-3)


def summaries(directory):
    """[(step, {tag: value})] of the event file."""
    (path,) = Path(directory).glob("events.*")
    events = [event for event in tf.train.summary_iterator(str(path)) if event.summary.value]
    return [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in events]


def test_summaries_are_written_at_their_interval_with_the_values_of_those_steps(decayed):
    written = summaries(decayed[0].model_dir)
    assert [step for step, _ in written] == [1, 51, 101, 151, 201]
    for step, scalars in written:
        assert scalars["weight"] == pytest.approx(0.99 ** (step - 1), rel=1e-3)
        assert scalars["loss"] == pytest.approx(0.99 ** (2 * step - 2), rel=1e-3)


def test_checkpoints_come_at_their_interval_and_at_the_end(decayed):
    directory = Path(decayed[0].model_dir)
    steps = sorted(int(path.stem.partition("-")[2]) for path in directory.glob("*.index"))
    assert steps == [0, 100, 200, 250]
    for step in steps:
        weight = variables(directory / f"model.ckpt-{step}")["w"]
        assert weight == pytest.approx(0.99**step, rel=1e-3)


def test_evaluation_gives_the_means_over_all_batches(decayed):
    model, _ = decayed
    results = model.evaluate(lambda params: generated(params, count=5))
    assert results["mean"] == pytest.approx(2.0)
    assert results["loss"] == pytest.approx(0.99**500, rel=1e-3)
    assert results["global_step"] == 250
    assert model.evaluate(generated, steps=3, name="first")["mean"] == pytest.approx(1.0)
    for directory, mean in (("eval", 2.0), ("eval_first", 1.0)):
        ((step, scalars),) = summaries(Path(model.model_dir, directory))
        assert step == 250 and scalars["mean"] == pytest.approx(mean)


def test_no_training_steps_leave_the_initial_weights(tmp_path):
    estimator(tmp_path, decay_model).train(resident, steps=0)
    assert variables(tmp_path) == {"global_step": 0, "training_iteration": 0, "w": 1}


def test_the_final_checkpoint_is_the_one_that_stays(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, keep_checkpoint_max=1, save_checkpoints_steps=10)
    model.train(resident, steps=25)
    assert [path.name for path in tmp_path.glob("*.index")] == ["model.ckpt-25.index"]
    assert model.latest_checkpoint() == str(tmp_path / "model.ckpt-25")


@pytest.mark.parametrize("kind", ["loop", "step"])
def test_a_loss_that_is_not_finite_names_its_step_and_the_last_checkpoint(tmp_path, kind):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, params={"learning_rate": 1e30}, save_checkpoints_steps=1)

    def input_fn(params):
        return generated(params) * 2 if kind == "step" else resident(params)

    # w = 1 − 2e30 after the first step.
    message = (
        rf"loss became inf at step 2.*{re.escape(str(tmp_path))}/model.ckpt-1\b.*learning rate"
    )
    with pytest.raises(NonFiniteLossError, match=message):
        model.train(input_fn, steps=20)
    assert variables(tmp_path / "model.ckpt-1")["global_step"] == 1


def test_a_failed_training_leaves_no_model_but_the_checkpoint_it_names(tmp_path):
    with pytest.raises(NonFiniteLossError, match="last good checkpoint") as error:
        train_by_gin(tmp_path / "model", "AdamOptimizer.learning_rate = 1e30")
    assert not (tmp_path / "model").exists()
    checkpoint = re.search(r"checkpoint is (\S+)\. ", str(error.value))[1]
    assert variables(checkpoint)["global_step"] == 0


def test_evaluation_draws_from_resident_data_up_to_the_smaller_of_its_limits(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, mean_model).train(resident, steps=60)

    def evaluated(num_batches, steps=None):
        return model.evaluate(lambda params: resident(params, num_batches), steps=steps)

    results = evaluated(2000)
    weight = variables(tmp_path)["w"]
    points = SynthLinear(num_points=1000).split("train")[0].reshape(-1, 3)
    standard_error = points[:, 0].std() / np.sqrt(2000 * 16)
    assert abs(results["feature"] - points[:, 0].mean()) < 4 * standard_error
    assert results["weight"] == pytest.approx(weight.mean(), rel=1e-4)
    loss = np.square(points - weight).mean() + 0.1**2
    assert results["loss"] == pytest.approx(loss, rel=0.03)
    of_three = evaluated(3)
    assert of_three != results
    assert evaluated(50, steps=3) == evaluated(3, steps=50) == of_three
    with pytest.raises(ValueError, match="the input has no end"):
        evaluated(None)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("xla", "yes", "'yes' is unknown; take one of auto, on, off"),
        ("resume", 2, "2 is unknown"),
        ("threads", 1.5, "1.5; it must be a whole number from 1 on"),
        ("threads", True, "True; it must be a whole number"),
        ("iterations_per_loop", 0, "0; it must be a whole number from 1 on"),
        ("checkpoint_seconds", 0, "0; it must be positive or None"),
    ],
)
def test_a_wrong_setting_is_named(name, wrong, message):
    with pytest.raises(InputError, match=f"training_loop.{name} = {message}"):
        training_loop(**{name: wrong})


def test_evaluation_before_training_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint.*train the model first"):
        estimator(tmp_path).evaluate(resident, steps=1)


@pytest.mark.parametrize(("size", "seconds"), [(0, 0.5), (7.7e6, 0.5), (56e6, 1.0), (1e10, 2.0)])
def test_a_session_call_grows_with_the_weights_that_it_copies(size, seconds):
    assert seconds_per_call(size) == seconds
