# SPDX-License-Identifier: Apache-2.0
"""Training runs that are interrupted at rarer moments."""

import contextlib
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from unittest import mock

import gin
import pytest
from engine_support import resident, tf
from resume_support import (  # noqa: F401
    Broken,
    assert_as_if_uninterrupted,
    broken,
    broken_after,
    checkpoints,
    fresh_gin,
    train_small,
)

from vae_ortho_plugin.dlib.steps import made_of
from vae_ortho_plugin.dlib.steps.training_directory import resumable
from vae_ortho_plugin.engine import checkpoints as engine_checkpoints
from vae_ortho_plugin.engine import interruption
from vae_ortho_plugin.engine.checkpoints import Checkpoints
from vae_ortho_plugin.engine.estimator import (
    RunConfig,
    TPUEstimator,
    TPUEstimatorSpec,
    handed_over,
)
from vae_ortho_plugin.engine.training_log import TrainingLog
from vae_ortho_plugin.errors import InputError


def test_an_ignored_signal_stays_ignored():
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signals = interruption.Signals()
        with signals.noted():
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.arrived is None
    finally:
        signal.signal(signal.SIGINT, handler)


def test_a_full_disk_keeps_the_checkpoint_before_and_says_what_to_do(broken):
    """A limit of the files' size stands for the disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be written.*Make room there"):
            train_small(broken)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoints(broken) == [30, 40]
    train_small(broken)
    assert_as_if_uninterrupted(broken)


def test_a_log_that_cannot_be_written_costs_nothing(broken, monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", full)
        train_small(broken)
        with contextlib.suppress(OSError):
            full.close()
    assert_as_if_uninterrupted(broken)


def test_an_error_before_the_first_checkpoint_leaves_the_steps_that_were_done(tmp_path):
    add_call = TrainingLog.add_call

    def fail(log, history, steps, batches):
        if steps[-1] >= 45:
            raise Broken
        add_call(log, history, steps, batches)

    with mock.patch.object(TrainingLog, "add_call", fail), pytest.raises(Broken):
        train_small(tmp_path / "model", "training_loop.checkpoint_steps = None")
    (step,) = checkpoints(tmp_path / "model")
    assert step >= 45
    train_small(tmp_path / "model")
    assert_as_if_uninterrupted(tmp_path / "model")


def write(directory, step):
    Checkpoints(directory).write(step, 3000, lambda prefix: Path(prefix).touch(), Path.touch, [])


def steps(directory):
    return sorted(int(path.name) for path in directory.iterdir())


@pytest.mark.parametrize("damaged", [[1000], [1000, 2000], [400, 1000]])
def test_the_two_checkpoints_that_stay_are_undamaged_and_the_written_one_is_among_them(
    tmp_path, damaged
):
    write(tmp_path, 500)
    for step in damaged:
        write_damaged(tmp_path / str(step))
    write(tmp_path, 700)
    assert steps(tmp_path) == [500, 700]
    write_damaged(tmp_path / "700")
    write(tmp_path, 900)
    assert steps(tmp_path) == [500, 900]


def test_a_checkpoint_that_cannot_be_read_now_is_not_deleted(tmp_path, monkeypatch):
    write(tmp_path, 500)
    write(tmp_path, 700)
    read = engine_checkpoints._read

    def unreadable(directory):
        if directory.name == "700":
            raise PermissionError(13, "Permission denied")
        return read(directory)

    monkeypatch.setattr(engine_checkpoints, "_read", unreadable)
    write(tmp_path, 900)
    assert steps(tmp_path) == [500, 700, 900]


def write_damaged(checkpoint):
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "manifest.json").write_text("{}")


def gamma_model(features, labels, mode, params):
    """Draws numbers that do not follow from seed and step."""
    weight = tf.get_variable("w", [], initializer=tf.ones_initializer())
    loss = tf.square(weight - tf.random.gamma([], 1.0)) + 0 * tf.reduce_mean(features)
    train_op = tf.train.GradientDescentOptimizer(0.1).minimize(
        loss, global_step=tf.train.get_global_step()
    )
    return TPUEstimatorSpec(mode=mode, loss=loss, train_op=train_op)


def test_overwrite_starts_a_training_run_over_that_cannot_be_continued(tmp_path, capsys):
    gin.parse_config(["training_loop.checkpoint_steps = 3", "training_loop.xla = 'off'"])

    def train(model_dir, overwrite):
        weights = str(Path(model_dir, "tf_checkpoint"))
        TPUEstimator(gamma_model, weights, RunConfig(), 16).train(resident, steps=9)
        Path(model_dir, "results").mkdir()
        made_of.write(Path(model_dir).parent, {})

    step = resumable(train)
    with broken_after(5), pytest.raises(Broken):
        step(str(tmp_path / "model"), False)
    capsys.readouterr()
    with pytest.raises(InputError, match="random_gamma.*Start it over with --overwrite"):
        step(str(tmp_path / "model"), False)
    assert checkpoints(tmp_path / "model") == [3]
    assert "To continue" not in capsys.readouterr().err
    step(str(tmp_path / "model"), True)
    assert "starts at step 0" in capsys.readouterr().err
    assert (tmp_path / "model").is_dir()


def counting_model(features, labels, mode, params):
    """The learning rate falls with a local variable that counts the steps."""
    count = tf.get_variable(
        "count", [], collections=[tf.GraphKeys.LOCAL_VARIABLES], trainable=False
    )
    weight = tf.get_variable("w", [], initializer=tf.ones_initializer())
    loss = tf.square(weight) + 0 * tf.reduce_mean(features)
    with tf.control_dependencies([count.assign_add(1.0)]):
        optimizer = tf.train.GradientDescentOptimizer(0.1 / (1 + count.read_value() ** 2))
        train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    return TPUEstimatorSpec(mode=mode, loss=loss, train_op=train_op)


def test_local_variables_of_the_model_are_continued(tmp_path):
    gin.parse_config(["training_loop.checkpoint_steps = 3", "training_loop.xla = 'off'"])

    def train_counting(name):
        estimator = TPUEstimator(counting_model, str(tmp_path / name), RunConfig(), 16)
        with handed_over(tmp_path / f"{name} kept"):
            estimator.train(resident, steps=9)

    train_counting("alone")
    with broken_after(5), pytest.raises(Broken):
        train_counting("broken")
    shutil.rmtree(tmp_path / "broken")
    train_counting("broken")
    alone, continued = (tf.train.load_checkpoint(str(tmp_path / n)) for n in ("alone", "broken"))
    assert alone.get_tensor("w") == continued.get_tensor("w") != 1
