# SPDX-License-Identifier: Apache-2.0
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from disentanglement_lib.methods.unsupervised import gaussian_encoder_model
from engine_support import tf, train
from resume_support import (  # noqa: F401
    Broken,
    assert_as_if_uninterrupted,
    broken,
    broken_after,
    checkpoints,
    fresh_gin,
    train_small,
)

from vae_ortho_plugin.engine import interruption
from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph
from vae_ortho_plugin.errors import InputError, NonFiniteLossError


def test_a_training_run_continues_from_the_newest_of_its_last_two_checkpoints(broken, capsys):
    assert checkpoints(broken) == [30, 40]
    intervals = ["training_loop.checkpoint_steps = 7", "model.eval_steps = 2"]  # may change
    with broken_after(55), pytest.raises(Broken):
        train_small(broken, *intervals)
    error = capsys.readouterr().err
    assert re.search(
        r"continuing from step 40 of 60 \(checkpoint of \d+ min ago\) in \S+/40\n", error
    )
    assert re.search(
        r"the weights of step 49 are in \S+/model.unfinished/checkpoints/49\. To continue", error
    )
    assert checkpoints(broken) == [42, 49]
    train_small(broken, overwrite=True)  # of the same configuration
    assert "continuing from step 49" in capsys.readouterr().err
    assert_as_if_uninterrupted(broken)
    assert [path.name for path in broken.parent.iterdir()] == ["model"]
    with pytest.raises(InputError, match="exists and was left untouched"):
        train_small(broken)
    assert_as_if_uninterrupted(broken)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(broken, capsys):
    newest = broken.with_name("model.unfinished") / "checkpoints/40"
    (newest / "tracked.npz").write_bytes(b"")
    train_small(broken)
    error = capsys.readouterr().err
    assert re.search(r"warning: the checkpoint \S+/40 is damaged and not used", error)
    assert "continuing from step 30" in error
    assert_as_if_uninterrupted(broken)


def test_without_an_undamaged_checkpoint_the_training_run_starts_over(broken, capsys):
    for number in (30, 40):
        manifest = broken.with_name("model.unfinished") / f"checkpoints/{number}/manifest.json"
        manifest.write_text(manifest.read_text()[:50])
    train_small(broken)
    assert "continuing" not in capsys.readouterr().err
    assert_as_if_uninterrupted(broken)


def test_another_configuration_is_refused_with_the_differences_and_discarded_by_overwrite(
    broken, capsys
):
    with pytest.raises(InputError) as error:
        train_small(broken, "vae.beta = 0.5", "model.random_seed = 7")
    message = str(error.value)
    assert "model.random_seed = 0 there, 7 now; vae.beta = 0.0001 there, 0.5 now" in message
    assert "step 40 of 60" in message and "--overwrite" in message and "--model_dir" in message
    assert checkpoints(broken) == [30, 40]
    train_small(broken, "vae.beta = 0.5", overwrite=True)
    assert "continuing" not in capsys.readouterr().err
    assert not broken.with_name("model.unfinished").exists()


def test_without_resuming_it_starts_over_and_leaves_nothing(broken, capsys):
    with broken_after(45), pytest.raises(Broken):
        train_small(broken, "training_loop.resume = False")
    assert "continuing" not in capsys.readouterr().err
    assert list(broken.parent.iterdir()) == []


def test_an_error_after_training_leaves_the_trained_weights(tmp_path, capsys):
    export = gaussian_encoder_model.export_as_tf_hub

    def fail(model, observation_shape, checkpoint, *rest):
        if checkpoint is not None:  # the training run is over
            raise OSError("No space left on device")
        export(model, observation_shape, checkpoint, *rest)

    with (
        mock.patch.object(gaussian_encoder_model, "export_as_tf_hub", fail),
        pytest.raises(InputError, match="No space left on device. Make room there"),
    ):
        train_small(tmp_path / "model")
    assert "the weights of step 60 are in" in capsys.readouterr().err
    with broken_after(0):  # no session call trains any more
        train_small(tmp_path / "model")
    assert "continuing from step 60 of 60" in capsys.readouterr().err
    assert_as_if_uninterrupted(tmp_path / "model")


def test_weights_that_are_not_finite_are_no_good_checkpoint(tmp_path):
    call = TrainingGraph.call_session

    def spoil(graph, *arguments):
        result = call(graph, *arguments)
        if graph.batches == 30:
            with graph.graph.as_default():
                weights = next(v for v in tf.trainable_variables() if "decoder" in v.name)
                graph.session.run(weights.assign(tf.fill(weights.shape, np.nan)))
        return result

    with (
        mock.patch.object(TrainingGraph, "call_session", spoil),
        pytest.raises(
            NonFiniteLossError, match=r"not finite after step 30.*good checkpoint is \S*/20/"
        ),
    ):
        train_small(tmp_path / "model")
    assert checkpoints(tmp_path / "model") == [10, 20]


@pytest.fixture
def python_handles_signals():
    """Tests that run in the background may have been started with signals ignored, which training leaves so."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_noted_and_the_handlers_are_as_before(number, python_handles_signals):
    handlers = [signal.getsignal(n) for n in interruption.SIGNALS]
    signals = interruption.Signals()
    with signals.noted():
        os.kill(os.getpid(), number)
    assert signals.arrived == number
    assert [signal.getsignal(n) for n in interruption.SIGNALS] == handlers


@pytest.mark.parametrize("first", [25, 60], ids=["amid", "in_the_last_session_call"])
def test_a_signal_ends_the_training_run_after_a_checkpoint(tmp_path, capsys, first):
    call, ended_at = TrainingGraph.call_session, []

    def with_signal(graph, *arguments):
        # How many steps a call has depends on how fast the machine is.
        now = graph.batches + 5 >= first
        if now:
            os.kill(os.getpid(), signal.SIGTERM)
        result = call(graph, *arguments)
        ended_at.extend([graph.batches] if now else [])
        return result

    with (
        mock.patch.object(TrainingGraph, "call_session", with_signal),
        pytest.raises(interruption.Interrupted) as stopped,
    ):
        train_small(tmp_path / "model")
    assert stopped.value.exit_code == 143
    (step,) = ended_at
    assert checkpoints(tmp_path / "model")[-1] == step
    assert f"stopped by SIGTERM at step {step} of 60" in capsys.readouterr().err
    train_small(tmp_path / "model")
    assert_as_if_uninterrupted(tmp_path / "model")


def test_a_preempted_script_exits_with_143_and_says_how_to_continue(tmp_path):
    script = Path(sys.executable).with_name("dlib_train")
    command = [
        sys.executable,
        script,
        "--gin_config=beta_vae.gin",
        f"--model_dir={tmp_path / 'model'}",
    ]
    for line in (
        "model.training_steps = 10000000",
        "model.eval_steps = 1",
        "synth_linear.num_points = 1000",
        "training_loop.xla = 'off'",
        "training_loop.checkpoint_steps = 200",
    ):
        command.append(f"--gin_bindings={line}")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("model.unfinished/checkpoints/[0-9]*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate()
    assert process.returncode == 143
    (line,) = [line for line in error.splitlines() if "stopped by SIGTERM" in line]
    assert "To continue: dlib_train --gin_config=beta_vae.gin" in line
    assert f"at step {checkpoints(tmp_path / 'model')[-1]:,} of 10,000,000" in line


def test_the_default_directory_tells_seeds_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with mock.patch.object(train, "train") as step:
        for seed in (0, 1):
            train_small(None, f"model.random_seed = {seed}")
    names = {call.args[0] for call in step.call_args_list}
    assert len(names) == 2 and all(name.startswith("output/beta_vae-") for name in names)
