# SPDX-License-Identifier: Apache-2.0
"""Samples a second that training can read from a data set of dSprites' size, with the training switched off."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import environment_tf114, machine
from benchmarks.data import data_root
from benchmarks.framework import Rate, Row, Series, Settings
from benchmarks.training import PLUGIN, WARM_UP_STEPS, Stopwatch
from benchmarks.trainings import BATCH_SIZE

IMAGE_BYTES = 64 * 64


def _data(settings: Settings, name: str):
    data_root(settings, name)
    from disentanglement_lib.data.ground_truth import named_data

    return named_data.get_named_ground_truth_data(name)


def _samples(batches: Callable[[int], float], settings: Settings, first: int) -> Callable:
    rate = Rate(batches, settings.seconds, first)
    return lambda: BATCH_SIZE * rate()


@contextlib.contextmanager
def plugin(settings: Settings, name: str = "dsprites_full") -> Iterator[Callable]:
    """The plugin's estimator with a model that keeps the batch in a variable and learns nothing."""
    data = _data(settings, name)
    import tensorflow.compat.v1 as tf
    from disentanglement_lib.methods.unsupervised import train
    from tensorflow.contrib import tpu

    def model_fn(features, labels, mode):
        # Otherwise XLA would not read the batch at all.
        batch = tf.get_variable(
            "batch", features.shape, initializer=tf.zeros_initializer(), trainable=False
        )
        train_op = tf.group(batch.assign(features), tf.train.get_global_step().assign_add(1))
        return tpu.TPUEstimatorSpec(mode, loss=features[0, 0, 0, 0], train_op=train_op)

    def batches(count: int) -> float:
        directory = settings.scratch / "input"
        config = tpu.RunConfig(tpu_config=tpu.TPUConfig(iterations_per_loop=500))
        estimator = tpu.TPUEstimator(model_fn, str(directory), config, BATCH_SIZE)
        with Stopwatch() as stopwatch:
            estimator.train(train._make_input_fn(data, 0), steps=count + WARM_UP_STEPS)
        shutil.rmtree(directory)
        return stopwatch.seconds(count)

    yield _samples(batches, settings, 10_000)


@contextlib.contextmanager
def in_tf114(settings: Settings) -> Iterator[Callable]:
    """dlib's generator under TensorFlow 1.14."""
    environment_tf114.python_tf114(settings)
    data_root(settings, "dsprites_full")
    arguments = ["--on_request=batches", "--gin_bindings=dataset.name = 'dsprites_full'"]
    log = settings.scratch / "read_in_tf114.log"
    with environment_tf114.on_request(settings, arguments, log) as request:
        request(1)
        yield _samples(request, settings, 10)


@contextlib.contextmanager
def generator(settings: Settings, name: str = "dsprites_full") -> Iterator[Callable]:
    """dlib's generator under current TensorFlow."""
    data = _data(settings, name)
    import tensorflow.compat.v1 as tf
    from disentanglement_lib.data.ground_truth import util

    with tf.Graph().as_default():
        dataset = util.tf_data_set_from_ground_truth_data(data, 0)
        batch = dataset.batch(BATCH_SIZE, drop_remainder=True).make_one_shot_iterator().get_next()
        session = tf.Session()

    def batches(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            session.run(batch.op)
        return time.perf_counter() - start

    with session:
        batches(1)
        yield _samples(batches, settings, 10)


@contextlib.contextmanager
def copying(settings: Settings) -> Iterator[Callable]:
    """A sample's bytes read once and its floats written once, at the rate of a plain copy."""
    yield lambda: machine.copy_rate() / (IMAGE_BYTES + 4 * IMAGE_BYTES)


def _large(name: str, title: str, size: str) -> Row:
    return Row(
        f"input-{name}",
        f"Input from {title} ({size} of bytes in memory), training switched off",
        "samples/s",
        (
            Series(PLUGIN, partial(plugin, name=name)),
            Series(
                "dlib's generator on current TensorFlow", partial(generator, name=name), at_least=20
            ),
        ),
        "As the row input. dlib's generator reads the images that the plugin keeps: its own class would hold "
        "them as 32-bit floats.",
    )


ROWS = (
    Row(
        "input",
        "Input from a data set of dSprites' size, training switched off",
        "samples/s",
        (
            Series(PLUGIN, plugin),
            Series("dlib's generator on TensorFlow 1.14", in_tf114, at_least=100),
            Series("dlib's generator on current TensorFlow", generator, at_least=100),
            Series("a copy of as many bytes", copying),
        ),
        "The plugin's estimator trains a model that keeps each batch of 64 in a variable and has no weights; dlib's generator "
        "is read batch by batch in a session. The copy counts, for each sample, 4,096 bytes read and 16,384 bytes "
        "of floats written, at the rate at which all cores together copy 256 MB.",
    ),
    _large("shapes3d", "Shapes3D", "5.9 GB"),
    _large("mpi3d_toy", "MPI3D", "12.7 GB"),
)
