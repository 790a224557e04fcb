# SPDX-License-Identifier: Apache-2.0
import itertools
import re
import unittest

import gin
import numpy as np
import pytest
from parameters_support import long_but

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
from vae_ortho_plugin.engine.training_run import seconds_per_call
from vae_ortho_plugin.errors import NonFiniteLossError

BINDINGS = [
    "dataset.name = 'synth_linear'",
    "synth_linear.num_points = 1000",
    "encoder.num_latent = 2",
    "encoder.encoder_fn = @mlp_encoder",
    "mlp_encoder.layers = []",
    "decoder.decoder_fn = @mlp_decoder",
    "mlp_decoder.layers = []",
    "reconstruction_loss.loss_fn = @squared_error",
    "reconstruction_loss.activation = 'linear'",
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "AdamOptimizer.learning_rate = 0.01",
    "model.random_seed = 0",
    "model.eval_steps = 5",
    "model.batch_size = 16",
    "vae.beta = 1e-3",
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
    train.train_with_gin(str(directory), gin_bindings=[*BINDINGS, *settings, *bindings])
    return variables(directory / "tf_checkpoint")


@pytest.mark.parametrize(
    ("model", "xla"),
    long_but(
        [("vae", "on"), ("factor_vae", "off")],
        itertools.product(["vae", "factor_vae"], ["off", "on"]),
    ),
)
def test_trained_weights_do_not_depend_on_steps_per_session_call(
    tmp_path, session_calls, model, xla
):
    weights = {}
    for steps in (1, 10, 500):
        session_calls.clear()
        weights[steps] = train_by_gin(
            tmp_path / f"{steps}",
            f"training_loop.xla = '{xla}'",
            f"training_loop.iterations_per_loop = {steps}",
            model=model,
        )
        assert max(session_calls) <= steps and (steps == 1 or max(session_calls) > 1)
    # XLA may fuse the loops of different lengths differently.
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if xla == "on" else {}
    assert_same(weights[1], weights[10], **tolerance)
    assert_same(weights[1], weights[500], **tolerance)
    assert weights[1]["global_step"] == 60


@pytest.mark.parametrize("model", ["autoencoder", "vae"])
def test_xla_draws_the_same_points_noise_and_initial_weights(tmp_path, model):
    off = train_by_gin(tmp_path / "off", "training_loop.xla = 'off'", model=model)
    on = train_by_gin(tmp_path / "on", "training_loop.xla = 'on'", model=model)
    assert_same(off, on, rtol=1e-3, atol=1e-5)


def test_another_seed_trains_other_weights(tmp_path):
    first = train_by_gin(tmp_path / "0", "training_loop.xla = 'off'", steps=5)
    second = train_by_gin(
        tmp_path / "1", "training_loop.xla = 'off'", "model.random_seed = 1", steps=5
    )
    kernel = "decoder/output/kernel"
    assert np.abs(first[kernel] - second[kernel]).max() > 0.01


@pytest.mark.parametrize("xla", ["off", "on"])
def test_training_continued_from_a_checkpoint_is_training_in_one_go(tmp_path, xla):
    gin.bind_parameter("training_loop.xla", xla)
    estimator(tmp_path / "once", mean_model).train(resident, steps=60)
    for _ in range(2):
        estimator(tmp_path / "twice", mean_model).train(resident, steps=30)
    estimator(tmp_path / "up_to", mean_model).train(resident, max_steps=25)
    estimator(tmp_path / "up_to", mean_model).train(resident, max_steps=60)
    once = variables(tmp_path / "once")
    assert np.abs(once["w"]).max() > 0.1
    tolerance = {"rtol": 1e-5, "atol": 1e-7}
    assert_same(once, variables(tmp_path / "twice"), **tolerance)
    assert_same(once, variables(tmp_path / "up_to"), **tolerance)


def test_no_training_steps_keep_the_initial_weights(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path / "trained", decay_model)
    model.train(resident, steps=3)
    estimator(tmp_path / "untrained", decay_model).train(resident, steps=0)
    initial = variables(tmp_path / "trained/model.ckpt-0")
    untrained = variables(tmp_path / "untrained")
    assert_same(initial, untrained)
    assert untrained["w"] == 1 and untrained["global_step"] == 0


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


def test_hooks_log_at_their_interval_the_values_of_those_steps(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    with unittest.TestCase().assertLogs("tensorflow", "INFO") as logs:
        estimator(tmp_path).train(resident, steps=250)
    lines = [line for line in logs.output if "weight = " in line]
    found = [re.search(r"weight = ([\d.e-]+) \(step (\d+)\)", line).groups() for line in lines]
    assert [int(step) for _, step in found] == [1, 101, 201]
    values = [float(value) for value, _ in found]
    np.testing.assert_allclose(values, 0.99 ** np.array([0, 100, 200]), rtol=1e-3)


def summaries(directory):
    """[(step, {tag: value})] of the event file."""
    (path,) = directory.glob("events.*")
    events = [event for event in tf.train.summary_iterator(str(path)) if event.summary.value]
    return [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in events]


@pytest.mark.parametrize("xla", ["off", "on"])
def test_summaries_are_written_at_their_interval_with_the_values_of_those_steps(tmp_path, xla):
    gin.bind_parameter("training_loop.xla", xla)
    gin.bind_parameter("training_loop.iterations_per_loop", 33)
    estimator(tmp_path, save_summary_steps=50).train(resident, steps=160)
    written = summaries(tmp_path)
    assert [step for step, _ in written] == [1, 51, 101, 151]
    for step, scalars in written:
        assert scalars["weight"] == pytest.approx(0.99 ** (step - 1), rel=1e-3)
        assert scalars["loss"] == pytest.approx(0.99 ** (2 * step - 2), rel=1e-3)


def test_checkpoints_come_at_their_interval_and_at_the_end(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    estimator(tmp_path, save_checkpoints_steps=100).train(resident, steps=250)
    steps = sorted(int(path.stem.partition("-")[2]) for path in tmp_path.glob("*.index"))
    assert steps == [0, 100, 200, 250]
    for step in steps:
        weight = variables(tmp_path / f"model.ckpt-{step}")["w"]
        assert weight == pytest.approx(0.99**step, rel=1e-3)


def test_the_final_checkpoint_is_the_one_kept(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, keep_checkpoint_max=1, save_checkpoints_steps=10)
    model.train(resident, steps=25)
    assert [path.name for path in tmp_path.glob("*.index")] == ["model.ckpt-25.index"]
    assert model.latest_checkpoint() == str(tmp_path / "model.ckpt-25")


@pytest.mark.parametrize("kind", ["off", "on", "step"])
def test_a_loss_that_is_not_finite_names_its_step_and_the_last_checkpoint(tmp_path, kind):
    gin.bind_parameter("training_loop.xla", "on" if kind == "on" else "off")
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


def test_evaluation_gives_the_means_over_all_batches(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path).train(resident, steps=10)
    results = model.evaluate(lambda params: generated(params, count=5))
    assert results["mean"] == pytest.approx(2.0)
    assert results["loss"] == pytest.approx(0.99**20, rel=1e-3)
    assert results["global_step"] == 10
    assert model.evaluate(generated, steps=3, name="first")["mean"] == pytest.approx(1.0)
    for directory, mean in (("eval", 2.0), ("eval_first", 1.0)):
        ((step, scalars),) = summaries(tmp_path / directory)
        assert step == 10 and scalars["mean"] == pytest.approx(mean)


def test_evaluation_draws_from_resident_data(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, mean_model).train(resident, steps=60)
    results = model.evaluate(lambda params: resident(params, num_batches=2000))
    weight = variables(tmp_path)["w"]
    points = SynthLinear(num_points=1000).split("train")[0].reshape(-1, 3)
    standard_error = points[:, 0].std() / np.sqrt(2000 * 16)
    assert abs(results["feature"] - points[:, 0].mean()) < 4 * standard_error
    assert results["weight"] == pytest.approx(weight.mean(), rel=1e-4)
    loss = np.square(points - weight).mean() + 0.1**2
    assert results["loss"] == pytest.approx(loss, rel=0.03)
    again = model.evaluate(lambda params: resident(params, num_batches=2000))
    assert again == results


def test_the_smaller_of_the_limits_of_an_evaluation_holds(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, mean_model).train(resident, steps=1)
    of_three = model.evaluate(lambda params: resident(params, num_batches=3))
    assert model.evaluate(lambda params: resident(params, num_batches=50), steps=3) == of_three
    assert model.evaluate(lambda params: resident(params, num_batches=3), steps=50) == of_three
    with pytest.raises(ValueError, match="the input has no end"):
        model.evaluate(resident)


def test_an_unknown_xla_setting_is_refused(tmp_path):
    gin.bind_parameter("training_loop.xla", "yes")
    with pytest.raises(ValueError, match="training_loop.xla is 'yes'"):
        estimator(tmp_path).train(resident, steps=1)


def test_evaluation_before_training_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint.*train the model first"):
        estimator(tmp_path).evaluate(resident, steps=1)


@pytest.mark.parametrize(("size", "seconds"), [(0, 0.5), (7.7e6, 0.5), (56e6, 1.0), (1e10, 2.0)])
def test_a_session_call_grows_with_the_weights_that_it_copies(size, seconds):
    assert seconds_per_call(size) == seconds
