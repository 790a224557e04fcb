# SPDX-License-Identifier: Apache-2.0
"""The loss of the linearized VAE, on networks whose Jacobians are known."""

import functools

import gin
import numpy as np
import pytest
import scipy.optimize
from models_support import tf

from vae_ortho_plugin import models
from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.models.linearized import hadamard_gap

LATENTS, OUTPUTS, BETA = 3, 5, 0.3
SQUARED = (
    "reconstruction_loss.loss_fn = @squared_error",
    "reconstruction_loss.activation = 'linear'",
)
BERNOULLI = (
    "reconstruction_loss.loss_fn = @bernoulli_loss",
    "reconstruction_loss.activation = 'logits'",
)
RNG = np.random.default_rng(0)
OBSERVATIONS = RNG.uniform(size=(16, OUTPUTS))
ENCODER = RNG.normal(size=(OUTPUTS, LATENTS))
SKEWED = RNG.normal(size=(LATENTS, OUTPUTS))
TURN, _ = np.linalg.qr(RNG.normal(size=(LATENTS, LATENTS)))
# Of a decoder that is tanh between its two layers.
INNER, OUTER = RNG.normal(size=(LATENTS, 7)) / 2, RNG.normal(size=(7, OUTPUTS))


def layer(tensor, matrix):
    """A layer without biases that starts at the given weights."""
    initial = tf.constant_initializer(matrix)
    return tf.matmul(tensor, tf.get_variable("kernel", matrix.shape, tensor.dtype, initial))


@gin.configurable("linear_encoder")
def linear_encoder(input_tensor, num_latent, is_training=True):
    means = layer(tf.layers.flatten(input_tensor), ENCODER)
    return means, tf.zeros_like(means)


@gin.configurable("linear_decoder")
def linear_decoder(latent_tensor, output_shape, is_training=True):
    return tf.reshape(layer(latent_tensor, SKEWED), [-1, *output_shape])


@gin.configurable("tanh_decoder")
def tanh_decoder(latent_tensor, output_shape, is_training=True):
    hidden = tf.tanh(layer(latent_tensor, INNER))
    with tf.variable_scope("outer"):
        return tf.reshape(layer(hidden, OUTER), [-1, *output_shape])


class Built:
    """A model in a graph of its own, with its loss in training.

    Called with what to compute and weights of the encoder and of the decoder's layers.
    """

    def __init__(
        self, loss=SQUARED, decoder="tanh", data=OBSERVATIONS, dtype=np.float64, **arguments
    ):
        gin.parse_config(
            [
                f"encoder.num_latent = {LATENTS}",
                "encoder.encoder_fn = @linear_encoder",
                f"decoder.decoder_fn = @{decoder}_decoder",
                "vae_optimizer.optimizer_fn = @GradientDescentOptimizer",
                "vae_optimizer.learning_rate = 0.0",
                *loss,
            ]
        )
        self.model = models.LinearizedVAE(**{"beta": BETA, **arguments})
        with graphs.building() as self.graph:
            tf.set_random_seed(1)
            tf.train.create_global_step()
            self.features = tf.constant(data.reshape(*data.shape, 1, 1), dtype)
            self.loss = self.model.model_fn(self.features, None, "train", {}).loss
            self.gap = hadamard_gap(self.model._relative)
            self.weights = tf.trainable_variables()
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())

    def __call__(self, fetch, *weights):
        with self.graph.as_default():
            for variable, value in zip(self.weights, weights, strict=False):
                variable.load(value, self.session)
        return self.session.run(fetch)

    def gradients(self):
        with graphs.building(self.graph):
            return tf.gradients(self.loss, self.weights)


@functools.cache
def built(loss, orthogonality):
    model = Built(loss, orthogonality=orthogonality)
    gin.clear_config()
    return model


def numpy_terms(loss):
    """(means, loss at them [batch], curvature C [batch, latents, latents]) of the tanh decoder."""
    means = OBSERVATIONS @ ENCODER
    hidden = np.tanh(means @ INNER)
    raw = hidden @ OUTER
    jacobians = OUTER.T @ ((1 - hidden**2)[:, :, None] * INNER.T)
    probability = 1 / (1 + np.exp(-raw))
    if loss == SQUARED:
        cost, weight = np.square(raw - OBSERVATIONS), np.full_like(raw, 2)
    else:
        cost = -OBSERVATIONS * np.log(probability) - (1 - OBSERVATIONS) * np.log(1 - probability)
        weight = probability * (1 - probability)
    return means, cost.sum(1), jacobians.swapaxes(1, 2) @ (weight[:, :, None] * jacobians)


def penalty(curvature, orthogonality):
    """log det P + λ (Σ_j log P_jj − log det P) at each point."""
    precision = np.eye(LATENTS) + curvature / BETA
    log_det = np.linalg.slogdet(precision)[1]
    diagonal = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    return log_det + orthogonality * (diagonal - log_det)


@pytest.mark.parametrize(
    ("loss", "orthogonality"),
    [(SQUARED, 0), (SQUARED, 1), (SQUARED, 4), (BERNOULLI, 0), (BERNOULLI, 4)],
)
def test_the_loss_is_the_stated_formula(loss, orthogonality):
    means, cost, curvature = numpy_terms(loss)
    terms = np.square(means).sum(1) + penalty(curvature, orthogonality)
    model = built(loss, orthogonality)
    found = model(model.loss, ENCODER, INNER, OUTER)
    assert found == pytest.approx(np.mean(cost + BETA / 2 * terms), rel=1e-9)


@pytest.mark.parametrize("loss", [SQUARED, BERNOULLI])
def test_rotations_of_the_latent_space_change_the_loss_unless_it_is_0(loss):
    def change(orthogonality):
        model = built(loss, orthogonality)
        turned = model(model.loss, ENCODER @ TURN, TURN.T @ INNER, OUTER)
        return abs(turned - model(model.loss, ENCODER, INNER, OUTER))

    assert change(0) < 1e-10 and change(4) > 1e-2


def test_nothing_is_sampled_in_training_and_its_elbo_is_that_of_the_posterior():
    model = built(SQUARED, 4)
    assert not any("Random" in operation.type for operation in model.graph.get_operations())
    means, cost, curvature = numpy_terms(SQUARED)
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    variance = 1 / (1 + diagonal / BETA)
    kl = (means**2 + variance - np.log(variance) - 1).sum(1) / 2
    expected = np.mean(cost + (variance * diagonal).sum(1) / 2 + kl)
    assert model("elbo:0", ENCODER, INNER, OUTER) == pytest.approx(expected, rel=1e-9)


def test_some_points_carry_the_penalty_for_the_batch():
    means, cost, curvature = numpy_terms(SQUARED)
    expected = np.mean(cost + BETA / 2 * np.square(means).sum(1))
    expected += BETA / 2 * penalty(curvature[:4], 4).mean()
    model = Built(orthogonality=4, penalty_points=4)
    assert model(model.loss) == pytest.approx(expected, rel=1e-9)


def test_the_sampled_loss_of_an_evaluation_is_that_of_the_training_on_average():
    data = np.tile(OBSERVATIONS, (500, 1))
    model = Built(decoder="linear", data=data, dtype=np.float32, orthogonality=4)
    with graphs.building(model.graph), tf.variable_scope(tf.get_variable_scope(), reuse=True):
        evaluated = model.model.model_fn(model.features, None, "eval", {}).loss
    sampled = np.array([model(evaluated) for _ in range(20)])
    error = sampled.std() / np.sqrt(len(sampled))
    assert 0 < error < 0.01 * sampled.mean() and abs(sampled.mean() - model(model.loss)) < 4 * error


def test_gradients_agree_with_finite_differences():
    model = built(SQUARED, 4)
    start = [ENCODER, INNER, OUTER]
    for number, gradient in enumerate(model(model.gradients(), *start)):
        for cell in [(0, 0), (1, 2), (2, 1)]:
            ends = []
            for step in (1e-6, -1e-6):
                moved = [value.copy() for value in start]
                moved[number][cell] += step
                ends.append(model(model.loss, *moved))
            assert gradient[cell] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


DEGENERATE = {
    "as it comes": SKEWED,
    "a zero column": SKEWED * [[1], [0], [1]],
    "a tiny column": SKEWED * [[1], [1e-18], [1]],
    "all zero": SKEWED * 0,
    "equal columns": SKEWED[[0, 0, 1]],
    "all equal": SKEWED[[0, 0, 0]],
    "large": SKEWED * 1e3,
}


@pytest.mark.parametrize("beta", [1e-6, 1])
def test_loss_and_gradients_are_right_in_float32_for_passive_and_dependent_columns(beta):
    model = Built(decoder="linear", dtype=np.float32, beta=beta, orthogonality=4)
    gradients = model.gradients()
    for name, decoder in DEGENERATE.items():
        found, gaps = model([gradients, model.gap], ENCODER, decoder)
        gap = gaps[0]
        assert all(np.isfinite(gradient).all() for gradient in found), name
        assert 0 <= gap < 28 * (LATENTS - 1), name
        if name not in ("equal columns", "all equal", "large"):
            precision = np.eye(LATENTS) + 2 / beta * decoder @ decoder.T
            expected = np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]
            assert gap == pytest.approx(expected, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("orthogonality", [0, 4])
def test_the_best_linear_decoder_has_the_scaled_principal_components(orthogonality):
    """W Wᵀ = U (S − β/2) Uᵀ (see models.linearized); with λ > 0 the columns are U's, else turned.

    The third latent has no component with a variance above β/2, and is passive.
    """
    variances, beta = np.array([4, 1, 0.1, 0.02, 0]), 0.5
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(OUTPUTS, OUTPUTS)))[0]
    data = random.normal(size=(64, OUTPUTS))
    left, _, _ = np.linalg.svd(data - data.mean(0), full_matrices=False)
    data = left * np.sqrt(64 * variances) @ basis.T
    model = Built(decoder="linear", data=data, beta=beta, orthogonality=orthogonality)
    gradients = model.gradients()

    def loss_and_gradient(flat):
        encoder, decoder = flat[: ENCODER.size], flat[ENCODER.size :]
        weights = encoder.reshape(ENCODER.shape), decoder.reshape(SKEWED.shape)
        loss, found = model([model.loss, gradients], *weights)
        return loss, np.concatenate([gradient.ravel() for gradient in found])

    start = np.concatenate([ENCODER.ravel(), SKEWED.ravel()])
    best = scipy.optimize.minimize(loss_and_gradient, start, jac=True)
    weights = best.x[ENCODER.size :].reshape(SKEWED.shape)
    active = variances[:2] - beta / 2
    expected = basis[:, :2] * active @ basis[:, :2].T
    np.testing.assert_allclose(weights.T @ weights, expected, atol=1e-3)
    least = beta / 2 * np.sum(1 + np.log(2 / beta * variances[:2])) + variances[2:].sum()
    assert best.fun == pytest.approx(least, abs=1e-4)
    lengths = np.sort(np.linalg.norm(weights, axis=1))
    aligned = np.abs(lengths - [0, *np.sqrt(active[::-1])]).max()
    assert aligned < 1e-2 if orthogonality else aligned > 0.05
