# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split

# isort: split
import tensorflow.compat.v1 as tf
from models_support import fresh_gin, graph, value  # noqa: F401

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


@pytest.mark.parametrize("layers", [[3, 0], [2.5], ["8"]])
def test_a_bad_width_is_named(graph, layers):
    with pytest.raises(InputError, match="mlp_encoder.layers = .*positive integer"):
        models.mlp_encoder(tf.ones([1, 4]), 2, layers=layers)
    with (
        tf.variable_scope("decoder"),
        pytest.raises(InputError, match="mlp_decoder.layers = .*positive integer"),
    ):
        models.mlp_decoder(tf.ones([1, 4]), [2], layers=layers)


def test_an_unknown_activation_is_named_with_the_known_ones(graph):
    with pytest.raises(InputError, match="mlp_encoder.activation = 'selu'.*relu, tanh, sigmoid"):
        models.mlp_encoder(tf.ones([1, 4]), 2, activation="selu")


@pytest.mark.parametrize("inputs", [4, 100])
def test_fan_in_weights_and_biases_are_uniform_within_one_over_the_root_of_the_inputs(
    graph, inputs
):
    models.mlp_encoder(tf.ones([1, inputs]), 3000, layers=[], initial_weights="fan_in")
    kernel, bias = (v for v in tf.global_variables() if v.op.name.startswith("means/"))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for values in session.run([kernel, bias]):
            assert np.abs(values).max() == pytest.approx(inputs**-0.5, rel=1e-2)
            assert values.std() == pytest.approx((3 * inputs) ** -0.5, rel=0.05)


def test_glorot_weights_are_those_of_dlibs_networks_with_zero_biases(graph):
    models.mlp_decoder(tf.ones([1, 2]), [3000], layers=[], initial_weights="glorot")
    kernel, bias = tf.global_variables()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert np.abs(session.run(kernel)).max() == pytest.approx((6 / 3002) ** 0.5, rel=1e-2)
        assert not session.run(bias).any()


def test_unknown_initial_weights_are_refused_with_the_known_ones(graph):
    with pytest.raises(InputError, match="mlp_decoder.initial_weights = 'he'.*glorot, fan_in"):
        models.mlp_decoder(tf.ones([1, 4]), [2], initial_weights="he")
