# SPDX-License-Identifier: Apache-2.0
"""How many threads a training run gets."""

import os

import gin
import pytest
from engine_support import assert_same, estimator, resident, tf, training_spec, variables

# isort: split
import tensorflow as tf2

from vae_ortho_plugin.engine import threads
from vae_ortho_plugin.errors import InputError


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


def small_network(features, labels, mode, params):
    """The mean of 16 noisy points by three dense layers: 12,000 multiplications a point."""
    hidden = tf.layers.flatten(features) + tf.random_normal([16, 3])
    for width in (100, 100, 3):
        hidden = tf.layers.dense(hidden, width, tf.tanh)
    return training_spec(tf.reduce_mean(tf.square(hidden - 1)), tf.train.AdamOptimizer(0.01))


@pytest.mark.parametrize("xla", ["on", "off"])
def test_the_weights_of_a_small_network_do_not_depend_on_the_threads(tmp_path, capsys, xla):
    for number in (1, 3):
        gin.bind_parameter("training_loop.xla", xla)
        gin.bind_parameter("training_loop.threads", number)
        estimator(tmp_path / f"{number}", small_network).train(resident, steps=100)
    error = capsys.readouterr().err
    for said in ("on one thread", "on 3 threads"):
        assert f"training {said} {'by XLA' if xla == 'on' else 'without XLA'}\n" in error
    assert_same(variables(tmp_path / "1"), variables(tmp_path / "3"))


def test_where_tensorflow_was_used_before_the_number_cannot_be_chosen(monkeypatch):
    tf2.constant(1) + 1
    monkeypatch.setattr(threads, "_can_choose", None)
    threads.let_sessions_have_their_own()
    assert chosen([6, 60]) == 0
    message = "threads = 2 has no effect in this process.* Set TF_NUM_INTRAOP_THREADS=2 in the env"
    with pytest.raises(InputError, match=message):
        chosen([6, 60], asked=2)
