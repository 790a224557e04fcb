# SPDX-License-Identifier: Apache-2.0
import re

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
    train,
    training_spec,
    variables,
)

# isort: split
import tensorflow_hub as hub

from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.engine.settings import TrainingLoop
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


@pytest.mark.parametrize(("model", "xla"), [("vae", "on"), ("factor_vae", "off")])
def test_trained_weights_do_not_depend_on_steps_per_session_call(
    tmp_path, session_calls, model, xla
):
    found = []
    for more in (["training_loop.iterations_per_loop = 7"], []):
        bindings = [f"training_loop.xla = '{xla}'", *more]
        found.append(train_by_gin(tmp_path / f"{len(more)}", *bindings, model=model))
        assert (max(session_calls) == 7) == bool(more)
    # XLA may fuse the loops of different lengths differently.
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if xla == "on" else {}
    assert_same(*found, **tolerance)
    assert found[0]["global_step"] == 60


def test_xla_draws_the_same_points_noise_and_initial_weights(tmp_path):
    off, on = (
        train_by_gin(tmp_path / xla, f"training_loop.xla = '{xla}'") for xla in ("off", "on")
    )
    assert_same(off, on, rtol=1e-3, atol=1e-5)


def test_another_seed_trains_other_weights(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    for seed in (0, 1):
        estimator(tmp_path / f"{seed}", mean_model, tf_random_seed=seed).train(resident, steps=20)
    first, second = (variables(tmp_path / seed)["w"] for seed in "01")
    assert np.abs(first - second).max() > 1e-4


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
    continued = estimator(tmp_path / "continued", mean_model).train(resident, steps=25)
    continued.train(resident, steps=35)
    once = variables(tmp_path / "once")
    assert np.abs(once["w"]).max() > 0.1
    assert_same(once, variables(tmp_path / "continued"), rtol=1e-5, atol=1e-7)


def test_checkpoints_come_at_their_interval_and_evaluations_are_means_over_all_batches(tmp_path):
    gin.parse_config(["training_loop.xla = 'off'", "training_loop.checkpoint_steps = 100"])
    model = estimator(tmp_path).train(resident, steps=250)
    steps = sorted(int(path.stem.partition("-")[2]) for path in tmp_path.glob("*.index"))
    assert steps == [0, 100, 200, 250]
    for step in steps:
        weight = variables(tmp_path / f"model.ckpt-{step}")["w"]
        assert weight == pytest.approx(0.99**step, rel=1e-3)
    results = model.evaluate(lambda params: generated(params, 5))
    assert results["mean"] == pytest.approx(2.0)
    assert results["loss"] == pytest.approx(0.99**500, rel=1e-3)
    assert results["global_step"] == 250
    model.evaluate(lambda params: generated(params, 3), name="first")
    for directory, mean in (("eval", 2.0), ("eval_first", 1.0)):
        (path,) = (tmp_path / directory).glob("events.*")
        *_, event = tf.train.summary_iterator(str(path))
        found = {value.tag: value.simple_value for value in event.summary.value}
        assert event.step == 250 and found["mean"] == pytest.approx(mean)


def test_the_final_checkpoint_is_the_one_that_stays(tmp_path):
    gin.parse_config(["training_loop.xla = 'off'", "training_loop.checkpoint_steps = 10"])
    model = estimator(tmp_path, keep_checkpoint_max=1).train(resident, steps=25)
    assert [path.name for path in tmp_path.glob("*.index")] == ["model.ckpt-25.index"]
    assert model.latest_checkpoint() == str(tmp_path / "model.ckpt-25")


@pytest.mark.parametrize("kind", ["loop", "step"])
def test_a_loss_that_is_not_finite_names_its_step_and_the_last_checkpoint(tmp_path, kind):
    gin.parse_config(["training_loop.xla = 'off'", "training_loop.checkpoint_steps = 1"])

    def diverging(features, labels, mode, params):
        weight = tf.get_variable("w", [], initializer=tf.ones_initializer())
        loss = tf.square(weight) + 0 * tf.reduce_mean(features)
        return training_spec(loss, tf.train.GradientDescentOptimizer(1e30))

    def input_fn(params):
        return generated(params) * 2 if kind == "step" else resident(params)

    # w = 1 − 2e30 after the first step.
    message = (
        rf"loss became inf at step 2.*{re.escape(str(tmp_path))}/model.ckpt-1\b.*learning rate"
    )
    with pytest.raises(NonFiniteLossError, match=message):
        estimator(tmp_path, diverging).train(input_fn, steps=20)
    assert variables(tmp_path / "model.ckpt-1")["global_step"] == 1


def test_a_failed_training_leaves_no_model_but_the_checkpoint_it_names(tmp_path):
    with pytest.raises(NonFiniteLossError, match="last good checkpoint") as error:
        train_by_gin(tmp_path / "model", "AdamOptimizer.learning_rate = 1e30")
    assert not (tmp_path / "model").exists()
    checkpoint = re.search(r"checkpoint is (\S+)\. ", str(error.value))[1]
    assert variables(checkpoint)["global_step"] == 0


def test_evaluation_draws_from_resident_data_the_same_points_each_time(tmp_path):
    gin.bind_parameter("training_loop.xla", "off")
    model = estimator(tmp_path, mean_model).train(resident, steps=60)

    def evaluated(num_batches):
        return model.evaluate(lambda params: resident(params, num_batches))

    results = evaluated(2000)
    weight = variables(tmp_path)["w"]
    points = SynthLinear(num_points=1000).split("train")[0].reshape(-1, 3)
    standard_error = points[:, 0].std() / np.sqrt(2000 * 16)
    assert abs(results["feature"] - points[:, 0].mean()) < 4 * standard_error
    assert results["weight"] == pytest.approx(weight.mean(), rel=1e-4)
    loss = np.square(points - weight).mean() + 0.1**2
    assert results["loss"] == pytest.approx(loss, rel=0.03)
    assert results != evaluated(3) == evaluated(3)
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
        TrainingLoop(**{name: wrong})


def test_evaluation_before_training_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint.*train the model first"):
        estimator(tmp_path).evaluate(resident)


@pytest.mark.parametrize(("size", "seconds"), [(0, 0.5), (7.7e6, 0.5), (56e6, 1.0), (1e10, 2.0)])
def test_a_session_call_grows_with_the_weights_that_it_copies(size, seconds):
    assert seconds_per_call(size) == seconds
