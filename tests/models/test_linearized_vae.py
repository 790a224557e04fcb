# SPDX-License-Identifier: Apache-2.0
"""The loss of the linearized VAE, on networks whose Jacobians are known."""

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train  # noqa: F401

# isort: split
import tensorflow.compat.v1 as tf
from models_support import fresh_gin  # noqa: F401

from vae_ortho_plugin import models
from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.models.linearized import hadamard_gap
from vae_ortho_plugin.models.loss_curvature import loss_curvature

LATENTS, OUTPUTS = 3, 5
SQUARED = ["reconstruction_loss.loss_fn = @squared_error"]
LINEAR_OUTPUT = [*SQUARED, "reconstruction_loss.activation = 'linear'"]
BERNOULLI = [
    "reconstruction_loss.loss_fn = @bernoulli_loss",
    "reconstruction_loss.activation = 'logits'",
]
RNG = np.random.default_rng(0)
OBSERVATIONS = RNG.uniform(size=(16, OUTPUTS, 1, 1))
ENCODER = RNG.normal(size=(OUTPUTS, LATENTS))
SKEWED = RNG.normal(size=(LATENTS, OUTPUTS))
TURN, _ = np.linalg.qr(RNG.normal(size=(LATENTS, LATENTS)))
WEIGHTS = {}


def given(name, matrix, like):
    """A variable with these initial values, of the type of a tensor."""
    return tf.get_variable(name, matrix.shape, like.dtype, tf.constant_initializer(matrix))


@gin.configurable("given_encoder")
def given_encoder(input_tensor, num_latent, is_training=True):
    """Means linear in the observation, by the matrix WEIGHTS['encoder']."""
    means = tf.matmul(
        tf.layers.flatten(input_tensor), given("kernel", WEIGHTS["encoder"], input_tensor)
    )
    return means, tf.zeros_like(means)


@gin.configurable("given_decoder")
def given_decoder(latent_tensor, output_shape, is_training=True):
    """Linear by WEIGHTS['decoder'], or tanh and then linear where it has two matrices."""
    tensor = latent_tensor
    for number, matrix in enumerate(WEIGHTS["decoder"]):
        inner = tf.tanh(tensor) if number else tensor
        tensor = tf.matmul(inner, given(f"kernel{number}", matrix, tensor))
    return tf.reshape(tensor, [-1, *output_shape])


class Built:
    """Losses of a model with given weights, and their gradients, in one graph."""

    def __init__(self, model, decoder, encoder=ENCODER, loss=LINEAR_OUTPUT, dtype=np.float64):
        gin.clear_config()
        gin.parse_config(
            [
                f"encoder.num_latent = {LATENTS}",
                "encoder.encoder_fn = @given_encoder",
                "decoder.decoder_fn = @given_decoder",
                "vae_optimizer.optimizer_fn = @GradientDescentOptimizer",
                "vae_optimizer.learning_rate = 0.0",
                *loss,
            ]
        )
        WEIGHTS.update(encoder=encoder, decoder=decoder)
        self.graph = tf.Graph()
        with graphs.building(self.graph):
            tf.set_random_seed(1)
            tf.train.create_global_step()
            features = tf.constant(OBSERVATIONS, dtype)
            self.loss = model.model_fn(features, None, tf.estimator.ModeKeys.TRAIN, {}).loss
            self.variables = tf.trainable_variables()
            self.gradients = tf.gradients(self.loss, self.variables)
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                self.posterior = model.gaussian_encoder(features, is_training=False)
                if dtype == np.float32:  # dlib's noise
                    spec = model.model_fn(features, None, tf.estimator.ModeKeys.EVAL, {})
                    self.evaluated_loss = spec.loss
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())

    def __call__(self, fetch):
        return self.session.run(fetch)

    def load(self, variable, value):
        with self.graph.as_default():
            variable.load(value, self.session)


def loss_of(decoder, encoder=ENCODER, loss=LINEAR_OUTPUT, dtype=np.float64, **arguments):
    model = models.LinearizedVAE(**{"beta": 0.3, **arguments})
    built = Built(model, decoder, encoder, loss, dtype)
    return built(built.loss)


def tanh_decoder(turn=None):
    inner = np.random.default_rng(3).normal(size=(LATENTS, 7)) / 2
    outer = np.random.default_rng(4).normal(size=(7, OUTPUTS))
    return [inner if turn is None else turn.T @ inner, outer]


def numpy_terms(decoder, loss):
    """(means, loss at them [batch], curvature C [batch, latents, latents]), by NumPy."""
    observations = OBSERVATIONS.reshape(len(OBSERVATIONS), -1)
    means = observations @ ENCODER
    inner = means @ decoder[0]
    slope = (1 - np.tanh(inner) ** 2)[:, :, None] if len(decoder) > 1 else None
    raw = inner if len(decoder) == 1 else np.tanh(inner) @ decoder[1]
    jacobians = np.broadcast_to(decoder[0].T, (len(means), *decoder[0].T.shape))
    if len(decoder) > 1:
        jacobians = decoder[1].T @ (slope * decoder[0].T)
    if loss == LINEAR_OUTPUT:
        return (
            means,
            np.square(raw - observations).sum(1),
            2 * jacobians.swapaxes(-1, -2) @ jacobians,
        )
    probability = 1 / (1 + np.exp(-raw))
    cost = -(observations * np.log(probability) + (1 - observations) * np.log(1 - probability))
    weight = (probability * (1 - probability))[:, :, None]
    return means, cost.sum(1), jacobians.swapaxes(-1, -2) @ (weight * jacobians)


@pytest.mark.parametrize("loss", [LINEAR_OUTPUT, BERNOULLI], ids=["squared", "bernoulli"])
@pytest.mark.parametrize("orthogonality", [0, 0.25, 1, 4])
def test_the_loss_is_the_stated_formula(loss, orthogonality):
    decoder, beta = tanh_decoder(), 0.3
    means, cost, curvature = numpy_terms(decoder, loss)
    precision = np.eye(LATENTS) + curvature / beta
    log_det = np.linalg.slogdet(precision)[1]
    diagonal = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    penalty = log_det + orthogonality * (diagonal - log_det)
    expected = np.mean(cost + beta / 2 * (np.square(means).sum(1) + penalty))
    found = loss_of(decoder, loss=loss, orthogonality=orthogonality)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", [LINEAR_OUTPUT, BERNOULLI], ids=["squared", "bernoulli"])
def test_rotations_of_the_latent_space_change_the_loss_unless_it_is_0(loss):
    def change(orthogonality):
        before = loss_of(tanh_decoder(), loss=loss, orthogonality=orthogonality)
        turned = loss_of(tanh_decoder(TURN), ENCODER @ TURN, loss, orthogonality=orthogonality)
        return abs(turned - before)

    assert change(0) < 1e-10
    assert change(0.25) > 1e-3
    assert change(4) == pytest.approx(16 * change(0.25), rel=1e-6)


def test_orthogonal_columns_cost_nothing_whatever_the_weight():
    orthogonal = [(TURN * [3, 1, 0.01]).T @ np.eye(LATENTS, OUTPUTS)]
    found = [loss_of(orthogonal, orthogonality=value) for value in (0, 1, 1000)]
    np.testing.assert_allclose(found, found[0], rtol=1e-12)
    assert loss_of([SKEWED], orthogonality=1000) > loss_of([SKEWED], orthogonality=1) + 1


def test_the_posterior_is_the_closed_form():
    model = models.LinearizedVAE(beta=0.3, orthogonality=4)
    built = Built(model, tanh_decoder())
    means, logvar = built(built.posterior)
    expected, _, curvature = numpy_terms(tanh_decoder(), LINEAR_OUTPUT)
    np.testing.assert_allclose(means, expected)
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    np.testing.assert_allclose(np.exp(-logvar), 1 + diagonal / 0.3)


@pytest.mark.parametrize("orthogonality", [0, 1, 4])
def test_the_sampled_loss_of_an_evaluation_is_that_of_the_training_on_average(orthogonality):
    model = models.LinearizedVAE(beta=0.3, orthogonality=orthogonality)
    built = Built(model, [SKEWED], dtype=np.float32)
    sampled = np.array([built(built.evaluated_loss) for _ in range(3000)])
    error = sampled.std() / np.sqrt(len(sampled))
    assert 0 < error < 0.01 * sampled.mean() and abs(sampled.mean() - built(built.loss)) < 4 * error


def test_gradients_agree_with_finite_differences():
    built = Built(models.LinearizedVAE(beta=0.3, orthogonality=4), tanh_decoder())
    values, gradients = built([built.variables, built.gradients])
    assert len(values) == 3
    for variable, value, gradient in zip(built.variables, values, gradients, strict=True):
        for cell in [(0, 0), (1, 2), (2, 1)]:
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[cell] += sign * 1e-6
                built.load(variable, moved)
                ends.append(built(built.loss))
            built.load(variable, value)
            assert gradient[cell] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


DEGENERATE = {
    "as it comes": SKEWED,
    "a zero column": SKEWED * [[1], [0], [1]],
    "a tiny column": SKEWED * [[1], [1e-18], [1]],
    "equal columns": SKEWED[[0, 0, 1]],
    "all equal": SKEWED[[0, 0, 0]],
    "all zero": SKEWED * 0,
    "large": SKEWED * 1e3,
}


@pytest.mark.parametrize("beta", [1e-6, 1])
@pytest.mark.parametrize("name", DEGENERATE)
def test_loss_and_gradients_are_right_in_float32_for_passive_and_dependent_columns(name, beta):
    decoder = DEGENERATE[name]
    model = models.LinearizedVAE(beta=beta, orthogonality=4)
    built = Built(model, [decoder], dtype=np.float32)
    assert all(np.isfinite(gradient).all() for gradient in built(built.gradients))
    with built.graph.as_default():
        relative = built(model_gap(decoder, beta))
    if name not in ("equal columns", "all equal", "large"):
        precision = np.eye(LATENTS) + 2 / beta * decoder @ decoder.T
        expected = np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]
        assert relative == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert 0 <= relative < 28 * (LATENTS - 1)


def model_gap(decoder, beta):
    """The gap by the model's own functions, of a float32 decoder at one point."""
    gin.clear_config()
    gin.parse_config([*LINEAR_OUTPUT])
    latents = tf.ones([1, LATENTS])
    raw = tf.matmul(latents, decoder.astype(np.float32))
    return hadamard_gap(loss_curvature(raw, latents) / beta)[0]


@pytest.mark.parametrize("orthogonality", [0, 4])
def test_training_a_linear_decoder_ends_at_the_scaled_principal_components(orthogonality):
    """W Wᵀ = U (S − β/2) Uᵀ (see models.linearized); with λ > 0 the columns are U's, else turned.

    The third latent has no component with a variance above β/2, and is passive.
    """
    variances, beta = np.array([4, 1, 0.1, 0.02, 0]), 0.5
    basis = np.linalg.qr(RNG.normal(size=(OUTPUTS, OUTPUTS)))[0]
    data = RNG.normal(size=(256, OUTPUTS))
    data -= data.mean(0)
    left, _, _ = np.linalg.svd(data, full_matrices=False)
    data = left * np.sqrt(256 * variances) @ basis.T
    gin.parse_config([f"encoder.num_latent = {LATENTS}", *LINEAR_NETWORKS, *LINEAR_OUTPUT])
    with graphs.building(), tf.Session() as session:
        tf.set_random_seed(0)
        tf.train.create_global_step()
        features = tf.constant(data.reshape(256, OUTPUTS, 1, 1))
        model = models.LinearizedVAE(beta=beta, orthogonality=orthogonality)
        spec = model.model_fn(features, None, tf.estimator.ModeKeys.TRAIN, {})
        session.run(tf.global_variables_initializer())
        for _ in range(4000):
            session.run(spec.train_op)
        (kernel,) = [v for v in tf.trainable_variables() if v.op.name == "decoder/output/kernel"]
        loss, weights = session.run([spec.loss, kernel])
    active = variances[:2] - beta / 2
    expected = basis[:, :2] * active @ basis[:, :2].T
    np.testing.assert_allclose(weights.T @ weights, expected, atol=1e-3)
    least = beta / 2 * np.sum(1 + np.log(2 / beta * variances[:2])) + variances[2:].sum()
    assert loss == pytest.approx(least, abs=1e-4)
    lengths = np.sort(np.linalg.norm(weights, axis=1))
    aligned = np.abs(lengths - [0, *np.sqrt(active[::-1])]).max()
    assert aligned < 1e-2 if orthogonality else aligned > 0.05


LINEAR_NETWORKS = [
    "encoder.encoder_fn = @mlp_encoder",
    "mlp_encoder.layers = []",
    "decoder.decoder_fn = @mlp_decoder",
    "mlp_decoder.layers = []",
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "vae_optimizer.learning_rate = 0.01",
]


def test_some_points_carry_the_penalty_for_the_batch():
    def parts(points):
        built = Built(models.LinearizedVAE(0.3, 4, points), tanh_decoder())
        return built(built.loss)

    assert parts(16) == pytest.approx(parts(None), rel=1e-12)
    means, cost, curvature = numpy_terms(tanh_decoder(), LINEAR_OUTPUT)
    precision = (np.eye(LATENTS) + curvature / 0.3)[:4]
    diagonal = np.log(np.diagonal(precision, axis1=1, axis2=2)).sum(1)
    log_det = np.linalg.slogdet(precision)[1]
    expected = np.mean(cost + 0.15 * np.square(means).sum(1))
    expected += 0.15 * np.mean(log_det + 4 * (diagonal - log_det))
    assert parts(4) == pytest.approx(expected, rel=1e-9)
    assert abs(parts(4) - parts(None)) > 1e-3


def test_nothing_is_sampled_in_training_and_its_elbo_is_that_of_a_vae():
    built = Built(models.LinearizedVAE(beta=1.0), tanh_decoder())
    operations = built.graph.get_operations()
    assert not any("Random" in operation.type for operation in operations)
    elbo = built.graph.get_tensor_by_name("elbo:0")
    assert built(elbo) == pytest.approx(built(built.loss), rel=1e-12)
