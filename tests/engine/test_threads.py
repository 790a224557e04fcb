# SPDX-License-Identifier: Apache-2.0
"""How many threads a training run gets."""

import os
import subprocess
import sys

import pytest
from engine_support import assert_same, fresh_gin, train, variables  # noqa: F401

import vae_ortho_plugin  # noqa: F401

# isort: split
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import threads
from vae_ortho_plugin.files.gin_files import gin_config


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)


def chosen(*shapes, asked=None, batch_size=64):
    with tf.Graph().as_default():
        for place, shape in enumerate(shapes):
            tf.get_variable(f"w{place}", shape)
        return threads.chosen(asked, batch_size)


def test_a_small_network_gets_one_thread_a_tiny_large_or_convolving_one_all():
    assert chosen([3, 2], [2, 3]) == 0
    assert chosen([6, 60], [60], [60, 40]) == 1
    assert chosen([784, 400], [400, 500]) == 0
    assert chosen([100, 100], batch_size=64) == 1
    assert chosen([100, 100], batch_size=1024) == 0
    assert chosen([4, 4, 1, 32]) == 0  # a convolution


def test_the_user_has_the_last_word(monkeypatch):
    assert chosen([784, 400], asked=3) == 3
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    assert chosen([6, 60]) == 0  # TensorFlow reads the variable
    assert chosen([6, 60], asked=5) == 5


def test_the_choice_is_said_in_words(monkeypatch):
    assert threads.described(1) == "on one thread"
    assert threads.described(3) == "on 3 threads"
    assert threads.described(0) == "on all cores"
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert threads.described(0) == "on 7 threads"


def test_each_session_has_its_own_threads():
    def started(number):
        before = len(os.listdir("/proc/self/task"))
        config = tf.ConfigProto(intra_op_parallelism_threads=number)
        with tf.Graph().as_default(), tf.Session(config=config) as session:
            session.run(tf.constant(1) + 1)
            return len(os.listdir("/proc/self/task")) - before

    started(1)  # the threads that all sessions share
    assert started(9) - started(1) >= 8


@pytest.mark.parametrize(
    ("data", "xla"),
    [("synth_nonlinear", "on"), pytest.param("synth_linear", "off", marks=pytest.mark.long)],
)
def test_the_weights_of_a_small_network_do_not_depend_on_the_threads(tmp_path, capsys, data, xla):
    files = [str(gin_config("beta_vae.gin")), str(gin_config(f"datasets/{data}.gin"))]
    for number in (1, 3):
        bindings = [
            "model.training_steps = 200",
            "model.eval_steps = 1",
            f"{data}.num_points = 1000",
            f"training_loop.xla = '{xla}'",
            f"training_loop.threads = {number}",
        ]
        train.train_with_gin(str(tmp_path / f"{number}"), False, files, bindings)
    error = capsys.readouterr().err
    for said in ("on one thread", "on 3 threads"):
        assert f"training {said} {'by XLA' if xla == 'on' else 'without XLA'}\n" in error
    assert_same(variables(tmp_path / "1/tf_checkpoint"), variables(tmp_path / "3/tf_checkpoint"))


USED_BEFORE = """
import tensorflow as tf
tf.constant(1) + 1
import vae_ortho_plugin
from disentanglement_lib.methods.unsupervised import train
from vae_ortho_plugin.engine import threads
with tf.Graph().as_default():
    assert threads.chosen(None, 64) == 0
    threads.chosen(2, 64)
"""


@pytest.mark.long
def test_where_tensorflow_was_used_before_the_number_cannot_be_chosen():
    done = subprocess.run(
        [sys.executable, "-c", USED_BEFORE], capture_output=True, text=True, check=False
    )
    assert "training_loop.threads = 2 has no effect in this process" in done.stderr
    assert "Set TF_NUM_INTRAOP_THREADS=2 in the environment instead." in done.stderr
