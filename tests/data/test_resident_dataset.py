# SPDX-License-Identifier: Apache-2.0
"""dlib's tf.data.Dataset of data in memory, as others use it."""

import functools

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import util

# isort: split
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.decoder.tracking import probe_points
from vae_ortho_plugin.engine.in_graph.inputs import ResidentDataset

DATA = SynthLinear(num_points=100)
SEED = 3


@pytest.fixture
def dataset():
    return util.tf_data_set_from_ground_truth_data(DATA, SEED)


def drawn(number):
    """What dlib's generator gives, [number, 3, 1, 1]."""
    random_state = np.random.RandomState(SEED)
    return np.concatenate([DATA.sample_observations(1, random_state) for _ in range(number)])


def test_it_is_a_tf_data_dataset(dataset):
    assert isinstance(dataset, ResidentDataset)
    assert isinstance(dataset, tf2.data.Dataset) and isinstance(dataset, tf.data.Dataset)
    assert isinstance(dataset.batch(4, drop_remainder=True).take(2), tf2.data.Dataset)
    assert dataset.element_spec == tf2.TensorSpec([3, 1, 1], tf.float32)


def test_its_iteration_and_its_first_observations_are_those_of_dlibs_generator(dataset):
    np.testing.assert_array_equal([x.numpy() for x in dataset.take(5)], drawn(5))
    batches = dataset.batch(4, drop_remainder=True).take(2)
    assert isinstance(batches, ResidentDataset)
    found = [batch.numpy() for batch in batches]
    np.testing.assert_array_equal(np.concatenate(found), drawn(8))
    np.testing.assert_array_equal(np.concatenate(list(batches.as_numpy_iterator())), drawn(8))
    first = batches.first(6)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, drawn(6))


def test_probe_points_are_the_same_from_data_in_memory_and_from_a_generator():
    def read(params, change=lambda data: data):
        data = change(util.tf_data_set_from_ground_truth_data(DATA, SEED))
        return data.batch(4, drop_remainder=True).make_one_shot_iterator().get_next()

    generated = functools.partial(read, change=lambda data: data.map(lambda x: x))
    for input_fn in (read, generated):
        np.testing.assert_array_equal(probe_points.draw(input_fn, {}, 6), drawn(6))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.map(lambda x: x),
        lambda d: d.batch(1, num_parallel_calls=1).unbatch(),
        lambda d: d.apply(lambda x: x),
        lambda d: d.with_options(tf2.data.Options()),
        lambda d: d.take(-1),
    ],
)
def test_every_method_of_a_dataset_works(dataset, change):
    np.testing.assert_array_equal([x.numpy() for x in change(dataset.take(3))], drawn(3))


def test_it_can_be_zipped_and_concatenated(dataset):
    pairs = list(tf2.data.Dataset.zip((dataset, tf2.data.Dataset.range(3))))
    np.testing.assert_array_equal([x.numpy() for x, _ in pairs], drawn(3))
    assert [int(number) for _, number in pairs] == [0, 1, 2]
    twice = dataset.take(2).concatenate(dataset.take(1))
    np.testing.assert_array_equal([x.numpy() for x in twice], drawn(3)[[0, 1, 0]])


def test_it_is_read_in_a_graph_made_before_or_after_it(dataset):
    for _ in range(2):  # the second graph must not get tensors of the first one
        with tf.Graph().as_default(), tf.Session() as session:
            batch = dataset.batch(4, drop_remainder=True).make_one_shot_iterator().get_next()
            assert batch.shape.as_list() == [4, 3, 1, 1]
            np.testing.assert_array_equal(session.run(batch), drawn(4))
            first = tf.data.make_one_shot_iterator(dataset).get_next()
            np.testing.assert_array_equal(session.run(first), drawn(1)[0])
