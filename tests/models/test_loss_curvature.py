# SPDX-License-Identifier: Apache-2.0

import gin
import numpy as np
import pytest
from models_support import tf

from vae_ortho_plugin import models  # noqa: F401  registers squared_error
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.models.linearized import hadamard_gap
from vae_ortho_plugin.models.loss_curvature import BY_IMAGE, dlib_losses, loss_curvature

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 5))
MACRO = "%error"  # stands for @squared_error


@pytest.mark.parametrize("latents", [1, 6])
def test_the_gap_is_that_of_numpys_determinants_and_0_for_orthogonal_columns(latents):
    columns = np.random.default_rng(latents).normal(size=(20, latents, 12))
    columns[0] = 1e3 * np.eye(latents, 12)
    relative = columns @ columns.swapaxes(-1, -2)
    precision = np.eye(latents) + relative
    expected = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    expected -= np.linalg.slogdet(precision)[1]
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(hadamard_gap(tf.constant(relative)))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert found[0] == 0


def configure(loss, activation, decoder="mlp_decoder"):
    gin.parse_config(
        [
            "error = @squared_error",
            f"reconstruction_loss.loss_fn = {loss}",
            f"reconstruction_loss.activation = '{activation}'",
            f"decoder.decoder_fn = @{decoder}",
        ]
    )


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        *(("@squared_error", "linear"), ("@squared_error", "logits"), ("@squared_error", "tanh")),
        *((MACRO, "linear"), ("@l2_loss", "logits")),
        *(("@bernoulli_loss", "logits"), ("@bernoulli_loss", "tanh")),
    ],
)
def test_the_curvature_is_the_second_derivative_of_dlibs_loss(loss, activation):
    """At an observation equal to the image, where that of Gauss and Newton is the whole of it."""
    configure(loss, activation)
    with tf.Graph().as_default(), tf.Session() as session:
        latents = tf.constant(RNG.normal(size=(6, 3)))
        raw = tf.reshape(tf.matmul(latents, KERNEL), [-1, 5, 1, 1])
        image = {
            "linear": raw,
            "logits": tf.sigmoid(raw),
            "tanh": tf.tanh(raw) / 2 + 0.5,
        }[activation]
        cost = dlib_losses.make_reconstruction_loss(tf.stop_gradient(image), raw)
        rows = tf.gradients(cost, latents)[0]
        hessian = tf.stack([tf.gradients(rows[:, j], latents)[0] for j in range(3)], 1)
        slope = tf.gradients(image, raw)[0]
        fetches = [loss_curvature(raw, latents), hessian, image, slope]
        found, expected, images, slopes = session.run(fetches)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    by_image = BY_IMAGE["squared_error" if loss == MACRO else loss[1:]]
    weights = np.full_like(images, 2) if by_image is None else by_image(images)
    columns = slopes.reshape(6, 5, 1) * KERNEL.T
    of_image = columns.swapaxes(1, 2) @ (weights.reshape(6, 5, 1) * columns)
    np.testing.assert_allclose(of_image, expected, rtol=1e-6)


def test_a_saturated_image_has_no_curvature():
    curvature = BY_IMAGE["bernoulli_loss"](np.array([0, 1e-45, 0.5, 1], np.float32))
    np.testing.assert_array_equal(curvature[[0, 2, 3]], [0, 4, 0])
    assert np.isfinite(curvature).all()


@gin.configurable("absolute_error")
def absolute_error(true_images, reconstructed_images, activation):
    """Covered by no closed form."""


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("@absolute_error", "@absolute_error with .*'linear'. Take @squared_error"),
        ("@bernoulli_loss", "@bernoulli_loss with reconstruction_loss.activation = 'linear'"),
    ],
)
def test_a_loss_without_a_closed_form_is_refused(loss, message):
    configure(loss, "linear")
    with tf.Graph().as_default(), pytest.raises(InputError, match=f"loss_fn = {message}"):
        loss_curvature(tf.zeros([1, 5]), tf.zeros([1, 3]))


@gin.configurable("rounding_decoder")
def rounding_decoder(latents):
    """Piecewise constant."""
    return tf.round(latents)


@gin.configurable("softsign_decoder")
def softsign_decoder(latents):
    """TensorFlow differentiates softsign, but not its derivative."""
    return tf.nn.softsign(latents)


@pytest.mark.parametrize(
    ("decoder", "why"), [(rounding_decoder, "rounding"), (softsign_decoder, "SoftsignGrad")]
)
def test_a_decoder_without_a_derivative_is_refused(decoder, why):
    name = decoder.__name__
    configure("@squared_error", "linear", name)
    with tf.Graph().as_default(), pytest.raises(InputError, match=f"@{name} has none: .*{why}"):
        latents = tf.ones([2, 3])
        loss_curvature(decoder(latents), latents)
