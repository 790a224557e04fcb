# SPDX-License-Identifier: Apache-2.0

import numpy as np
import scipy.stats
from engine_support import tf

from vae_ortho_plugin.engine.in_graph.noise import Noise


def drawn(start, capacity, offsets, upper=50, key=7, count=None):
    """Integers [offsets, 64] that iterations of a session call draw."""
    with tf.Graph().as_default(), tf.Session() as session:
        count = count and tf.constant(count)
        noise = Noise(0, tf.constant(start, tf.int64), capacity, count)
        offset = tf.placeholder(tf.int32, [])
        with noise.replace_stateful_ops(offset):
            numbers = noise.integers(key, 64, upper)
        return np.array([session.run(numbers, {offset: o}) for o in offsets])


def test_points_are_drawn_uniformly_and_independently():
    numbers = drawn(0, 300, range(300))
    assert numbers.min() == 0 and numbers.max() == 49
    assert scipy.stats.chisquare(np.bincount(numbers.ravel(), minlength=50)).pvalue > 1e-3
    pairs = np.zeros([50, 50])
    np.add.at(pairs, (numbers[:-1].ravel(), numbers[1:].ravel()), 1)
    assert scipy.stats.chi2_contingency(pairs).pvalue > 1e-3


def test_draws_belong_to_iterations_whatever_the_session_call_begins_with():
    together = drawn(0, 60, range(60))
    np.testing.assert_array_equal(drawn(20, 40, range(40)), together[20:])
    assert not np.array_equal(drawn(0, 60, range(60), key=8), together)


def test_draws_do_not_depend_on_how_many_are_needed():
    whole = drawn(5, 130, range(130))
    for count in (1, 21):
        np.testing.assert_array_equal(drawn(5, 130, range(count), count=count), whole[:count])
