# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from models_support import tf, value

from vae_ortho_plugin import models
from vae_ortho_plugin.errors import InputError


@pytest.mark.parametrize("layers", [(), (7,), [7, 5]])
def test_networks_have_the_shapes_dlib_asks_for(graph, layers):
    observations = tf.ones([3, 4, 5, 2])
    with tf.variable_scope("encoder"):
        means, logvars = models.mlp_encoder(observations, 6, layers=layers)
    with tf.variable_scope("decoder"):
        decoded = models.mlp_decoder(means, [4, 5, 2], layers=layers)
    assert means.shape == logvars.shape == (3, 6)
    assert decoded.shape == (3, 4, 5, 2)
    kernels = [v.shape.as_list() for v in tf.trainable_variables() if "kernel" in v.name]
    widths = [40, *layers]
    expected = [*map(list, itertools.pairwise(widths)), [widths[-1], 6], [widths[-1], 6]]
    widths = [6, *layers, 40]
    assert kernels == expected + [list(pair) for pair in itertools.pairwise(widths)]


def test_convolutional_networks_halve_and_double_the_sides_with_the_weights_of_their_layers(graph):
    with tf.variable_scope("encoder"):
        means, logvars = models.convolutional_encoder(tf.ones([2, 64, 64, 3]), 32)
    with tf.variable_scope("decoder"):
        decoded = models.convolutional_decoder(means, [64, 64, 3])
    assert means.shape == logvars.shape == (2, 32) and decoded.shape == (2, 64, 64, 3)
    kernels = [v.shape.as_list() for v in tf.trainable_variables() if "kernel" in v.name]
    assert kernels == [
        *([4, 4, 3, 32], [4, 4, 32, 32], [4, 4, 32, 64], [4, 4, 64, 64], [1024, 32], [1024, 32]),
        *([32, 64], [4, 4, 64, 4], [4, 4, 32, 64], [4, 4, 32, 32], [4, 4, 3, 32]),
    ]
    (image,) = value(decoded)
    assert image.min() < 0 < image.max()  # no ReLU after the last layer


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ([64, 64, 1], {}, r"\[64, 64, 1\]: the last layer needs 1 channels"),
        ([60, 64, 3], {}, "the sides must be multiples of the product of the strides, 16"),
        ([64, 64, 3], {"hidden": 40}, "hidden = 40 must be a multiple of 16: .* 4 x 4 pixels"),
        ([64, 64, 3], {"layers": [[3, 4]]}, "each layer must be three positive integers"),
        ([64, 64, 3], {"layers": [[3, 4, 0]]}, "each layer must be three positive integers"),
        ([64, 64, 3], {"layers": 3}, "layers = 3: each layer must be three positive integers"),
        ([64, 64, 3], {"layers": []}, "the last layer needs 3 channels"),
    ],
)
def test_convolutions_that_do_not_end_in_the_image_are_refused(graph, shape, settings, message):
    with pytest.raises(InputError, match=message):
        models.convolutional_decoder(tf.ones([1, 32]), shape, **settings)


def test_hidden_layers_are_activated(graph):
    inputs = np.random.default_rng(14).normal(size=(5, 3))
    decoded = models.mlp_decoder(tf.constant(inputs), [2], layers=[4], activation="tanh")
    decoded, *weights = value(decoded, *tf.trainable_variables())
    kernel, bias, output_kernel, output_bias = weights
    expected = np.tanh(inputs @ kernel + bias) @ output_kernel + output_bias
    np.testing.assert_allclose(decoded, expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({"layers": bad}, ".layers = .*positive integer") for bad in ([3, 0], [2.5], ["8"], 8)),
        ({"activation": "selu"}, ".activation = 'selu'.*relu, tanh, sigmoid"),
        ({"initial_weights": "he"}, ".initial_weights = 'he'.*glorot, fan_in"),
    ],
)
def test_a_bad_setting_of_a_dense_network_is_named(graph, settings, message):
    with pytest.raises(InputError, match=f"mlp_encoder{message}"):
        models.mlp_encoder(tf.ones([1, 4]), 2, **settings)
    with tf.variable_scope("decoder"), pytest.raises(InputError, match=f"mlp_decoder{message}"):
        models.mlp_decoder(tf.ones([1, 4]), [2], **settings)


def test_initial_weights_are_fan_in_or_those_of_dlibs_networks(graph):
    models.mlp_encoder(tf.ones([1, 100]), 3000, layers=[], initial_weights="fan_in")
    models.mlp_decoder(tf.ones([1, 2]), [3000], layers=[], initial_weights="glorot")
    kernel, bias, *_, glorot_kernel, glorot_bias = value(*tf.global_variables())
    for values in (kernel, bias):
        assert np.abs(values).max() == pytest.approx(0.1, rel=1e-2)
        assert values.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)
    assert np.abs(glorot_kernel).max() == pytest.approx((6 / 3002) ** 0.5, rel=1e-2)
    assert not glorot_bias.any()
