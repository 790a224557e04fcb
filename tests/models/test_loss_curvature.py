# SPDX-License-Identifier: Apache-2.0

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.shared import losses

# isort: split
import tensorflow.compat.v1 as tf
from models_support import fresh_gin  # noqa: F401

from vae_ortho_plugin import models  # noqa: F401  registers squared_error
from vae_ortho_plugin.models.linearized import hadamard_gap
from vae_ortho_plugin.models.loss_curvature import BY_IMAGE, loss_curvature

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 5))
SQUARED = "reconstruction_loss.loss_fn = @squared_error"
L2 = "reconstruction_loss.loss_fn = @l2_loss"
BERNOULLI = "reconstruction_loss.loss_fn = @bernoulli_loss"
MACRO = "error = @squared_error\nreconstruction_loss.loss_fn = %error"


@pytest.mark.parametrize("latents", [1, 2, 6, 10])
def test_the_gap_is_that_of_numpys_determinants(latents):
    columns = np.random.default_rng(latents).normal(size=(20, latents, 12))
    relative = columns @ columns.swapaxes(-1, -2)
    precision = np.eye(latents) + relative
    expected = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    expected -= np.linalg.slogdet(precision)[1]
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(hadamard_gap(tf.constant(relative)))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "loss, activation",
    [
        *((SQUARED, "linear"), (SQUARED, "logits"), (SQUARED, "tanh"), (MACRO, "linear")),
        *((L2, "logits"), (L2, "tanh"), (BERNOULLI, "logits"), (BERNOULLI, "tanh")),
    ],
)
def test_the_curvature_is_the_second_derivative_of_dlibs_loss(loss, activation):
    """At an observation equal to the image, where that of Gauss and Newton is the whole of it."""
    gin.parse_config([loss, f"reconstruction_loss.activation = '{activation}'"])
    with tf.Graph().as_default(), tf.Session() as session:
        latents = tf.constant(RNG.normal(size=(6, 3)))
        raw = tf.reshape(tf.matmul(latents, KERNEL), [-1, 5, 1, 1])
        image = {
            "linear": raw,
            "logits": tf.sigmoid(raw),
            "tanh": tf.tanh(raw) / 2 + 0.5,
        }[activation]
        cost = losses.make_reconstruction_loss(tf.stop_gradient(image), raw)
        rows = tf.gradients(cost, latents)[0]
        hessian = tf.stack([tf.gradients(rows[:, j], latents)[0] for j in range(3)], 1)
        found, expected, images = session.run([loss_curvature(raw, latents), hessian, image])
        slopes = session.run(tf.gradients(image, raw)[0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    by_image = BY_IMAGE[loss.rpartition("@")[2] if loss != MACRO else "squared_error"]
    weights = np.full_like(images, 2) if by_image is None else by_image(images)
    columns = slopes.reshape(6, 5, 1) * KERNEL.T
    of_image = columns.swapaxes(1, 2) @ (weights.reshape(6, 5, 1) * columns)
    np.testing.assert_allclose(of_image, expected, rtol=1e-6)


def test_a_saturated_image_has_no_curvature():
    curvature = BY_IMAGE["bernoulli_loss"](np.array([0, 1e-45, 0.5, 1], np.float32))
    np.testing.assert_array_equal(curvature[[0, 2, 3]], [0, 4, 0])
    assert np.isfinite(curvature).all()
