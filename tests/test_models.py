# SPDX-License-Identifier: Apache-2.0
import itertools
import json

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train, vae

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
import tensorflow_probability as tfp

from vae_ortho_plugin import models
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD
from vae_ortho_plugin.models import losses
from vae_ortho_plugin.models.full_covariance import scale_tril

VECTORS = [
    "dataset.name = 'synth_linear'",
    "synth_linear.num_points = 1000",
    "encoder.num_latent = 2",
    "encoder.encoder_fn = @mlp_encoder",
    "mlp_encoder.layers = [8]",
    "decoder.decoder_fn = @mlp_decoder",
    "mlp_decoder.layers = [8]",
    "reconstruction_loss.loss_fn = @squared_error",
    "reconstruction_loss.activation = 'linear'",
    "AdamOptimizer.learning_rate = 0.01",
    "model.batch_size = 32",
]
IMAGES = [
    "dataset.name = 'dummy_data'",
    "encoder.num_latent = 3",
    "encoder.encoder_fn = @conv_encoder",
    "decoder.decoder_fn = @deconv_decoder",
    "reconstruction_loss.activation = 'logits'",
    "AdamOptimizer.learning_rate = 0.001",
    "model.batch_size = 4",
]
COMMON = [
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator.discriminator_fn = @fc_discriminator",
    "model.random_seed = 0",
    "model.eval_steps = 5",
    "training_loop.xla = 'off'",
]


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def graph():
    """A graph of its own as the default one."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        yield graph


def value(*tensors, feed=None):
    """The tensors' values with freshly initialized variables."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(list(tensors), feed)


def random_tril(seed, batch, latents):
    rng = np.random.default_rng(seed)
    tril = np.tril(rng.normal(size=(batch, latents, latents)), -1)
    return tril + np.eye(latents) * rng.uniform(0.2, 2, size=(batch, latents, 1))


def rotation(seed, latents):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(latents, latents)))
    return matrix


def result(directory):
    text = (directory / "results/json/train_results.json").read_text()
    return json.loads(text)


def trained(directory, bindings, *more):
    train.train_with_gin(str(directory), gin_bindings=[*bindings, *COMMON, *more])
    return result(directory)


def test_full_covariance_kl_is_that_of_tensorflow_probability(graph):
    mean = np.random.default_rng(1).normal(size=(20, 4))
    tril = random_tril(2, 20, 4)
    distributions = tfp.distributions
    posterior = distributions.MultivariateNormalTriL(mean, tril)
    prior = distributions.MultivariateNormalTriL(np.zeros(4), np.eye(4))
    ours, theirs = value(
        losses.full_covariance_kl(tf.constant(mean), tf.constant(tril)),
        distributions.kl_divergence(posterior, prior),
    )
    assert ours.shape == (20,) and theirs.min() > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_full_covariance_kl_of_a_diagonal_is_dlibs_kl(graph):
    rng = np.random.default_rng(3)
    mean, logvar = rng.normal(size=(2, 10, 3))
    tril = np.exp(logvar / 2)[:, :, np.newaxis] * np.eye(3)
    ours, dlibs = value(
        tf.reduce_mean(losses.full_covariance_kl(tf.constant(mean), tf.constant(tril))),
        vae.compute_gaussian_kl(tf.constant(mean), tf.constant(logvar)),
    )
    assert ours == pytest.approx(dlibs, rel=1e-10)


def test_polarized_kl_of_a_case_by_hand(graph):
    mean, logvar = tf.constant([[1.0, 2.0, 3.0]]), tf.constant([[-2.0, -1.0, -4.0]])
    active = tf.constant([True, False, True])
    # ½ ((1 + 2 − 1) + (9 + 4 − 1))
    (kl,) = value(losses.polarized_kl(mean, logvar, active))
    np.testing.assert_allclose(kl, [7.0], rtol=1e-6)


def test_the_gradient_of_polarized_kl_is_zero_for_passive_latents(graph):
    mean, logvar = tf.constant([[1.0, 2.0]]), tf.constant([[-2.0, 90.0]])
    kl = losses.polarized_kl(mean, logvar, tf.constant([True, False]))
    mean_gradient, logvar_gradient = value(*tf.gradients(kl, [mean, logvar]))
    np.testing.assert_allclose(mean_gradient, [[1.0, 0.0]])
    np.testing.assert_allclose(logvar_gradient, [[-0.5, 0.0]])


def objective_of_full_posterior(beta, observations, decoder, mean, tril):
    """Expected squared error of a linear decoder plus β·KL, meaned over the batch."""
    spread = np.einsum("oi,bij,oj->bo", decoder, tril @ tril.transpose(0, 2, 1), decoder)
    error = np.square(observations - mean @ decoder.T).sum(1) + spread.sum(1)
    (kl,) = value(losses.full_covariance_kl(tf.constant(mean), tf.constant(tril)))
    return np.mean(error + beta * kl)


def objective_of_best_diagonal_posterior(beta, decoder, mean, observations):
    """As above, with the diagonal Σ that minimizes it: σ_j² = β / (β + 2 ‖d_j‖²)."""
    variance = beta / (beta + 2 * np.square(decoder).sum(0))
    spread = np.square(decoder).sum(0) @ variance
    error = np.square(observations - mean @ decoder.T).sum(1) + spread
    logvar = np.broadcast_to(np.log(variance), mean.shape)
    (kl,) = value(vae.compute_gaussian_kl(tf.constant(mean), tf.constant(logvar)))
    return np.mean(error) + beta * kl


def rotated_pair(seed):
    """(observations, decoder with orthogonal columns of lengths 3, 1 and 0.3, mean, rotation)."""
    rng = np.random.default_rng(seed)
    decoder = rotation(seed, 5)[:, :3] * [3.0, 1.0, 0.3]
    return rng.normal(size=(16, 5)), decoder, rng.normal(size=(16, 3)), rotation(seed + 1, 3)


def test_the_full_covariance_objective_is_invariant_under_rotations_of_the_latents(graph):
    observations, decoder, mean, turn = rotated_pair(4)
    tril = random_tril(5, 16, 3)
    covariance = turn @ tril @ tril.transpose(0, 2, 1) @ turn.T
    before = objective_of_full_posterior(0.7, observations, decoder, mean, tril)
    after = objective_of_full_posterior(
        0.7, observations, decoder @ turn.T, mean @ turn.T, np.linalg.cholesky(covariance)
    )
    assert after == pytest.approx(before, rel=1e-10)
    unturned = objective_of_full_posterior(0.7, observations, decoder @ turn.T, mean, tril)
    assert abs(unturned - before) > 1


@pytest.mark.parametrize("degrees", [10, 45, 80])
def test_the_diagonal_objective_prefers_the_axis_aligned_decoder(graph, degrees):
    observations, decoder, mean, _ = rotated_pair(6)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    aligned = objective_of_best_diagonal_posterior(0.7, decoder, mean, observations)
    turned = objective_of_best_diagonal_posterior(
        0.7, decoder @ turn.T, mean @ turn.T, observations
    )
    assert turned > aligned + 0.01


def test_scale_tril_is_lower_triangular_with_a_positive_diagonal(graph):
    rng = np.random.default_rng(7)
    diagonal, below = rng.normal(size=(6, 4)), rng.normal(size=(6, 6))
    (tril,) = value(scale_tril(tf.constant(diagonal), tf.constant(below)))
    expected = np.zeros((6, 4, 4))
    expected[:, range(4), range(4)] = np.exp(diagonal / 2)
    for index, (row, column) in enumerate([(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]):
        expected[:, row, column] = below[:, index]
    np.testing.assert_allclose(tril, expected)


def test_the_full_covariance_of_one_latent_needs_nothing_below_the_diagonal(graph):
    (tril,) = value(scale_tril(tf.constant([[2.0]]), tf.zeros([1, 0])))
    np.testing.assert_allclose(tril, [[[np.e]]], rtol=1e-6)


def test_samples_of_the_full_covariance_vae_have_its_mean_and_covariance(graph):
    gin.parse_config(
        "encoder.num_latent = 3\nencoder.encoder_fn = @mlp_encoder\nmlp_encoder.layers = []"
    )
    observation = np.random.default_rng(8).normal(size=(1, 6, 1, 1))
    observations = np.broadcast_to(observation, (200_000, 6, 1, 1))
    model = models.FullCovarianceVAE(beta=1.0)
    mean, logvar = model.gaussian_encoder(tf.constant(observations, tf.float32), is_training=True)
    samples = model.sample_from_latent_distribution(mean, logvar)
    mean, logvar, tril, samples = value(mean[0], logvar[0], model._scale_tril[0], samples)
    covariance = tril @ tril.T
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 0.1
    np.testing.assert_allclose(logvar, np.log(np.diag(covariance)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.02 * np.sqrt(covariance.max()))
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.02 * covariance.max())


def test_the_full_covariance_vae_exports_the_log_of_its_covariances_diagonal(tmp_path):
    trained(tmp_path / "m", VECTORS, *MODELS["full_covariance_vae"], "model.training_steps = 20")
    with tf.Graph().as_default():
        module = hub.Module(str(tmp_path / "m/tfhub"))
        batch = np.random.default_rng(0).uniform(size=(4, 3, 1, 1)).astype(np.float32)
        outputs = module({"images": batch}, signature="gaussian_encoder", as_dict=True)
        mean, logvar = value(outputs["mean"], outputs["logvar"])
    assert mean.shape == logvar.shape == (4, 2)
    reader = tf.train.load_checkpoint(str(tmp_path / "m/tf_checkpoint"))

    def layer(name, inputs):
        (kernel,) = [n for n in reader.get_variable_to_shape_map() if n.endswith(f"{name}/kernel")]
        bias = kernel.replace("kernel", "bias")
        return inputs @ reader.get_tensor(kernel) + reader.get_tensor(bias)

    hidden = np.maximum(layer("encoder/hidden1", batch.reshape(4, 3)), 0)
    first, second = layer("means", hidden), layer("log_var", hidden)
    np.testing.assert_allclose(mean, first[:, :2], rtol=1e-4, atol=1e-5)
    variances = np.exp(second[:, :2])
    variances[:, 1] += first[:, 2] ** 2
    np.testing.assert_allclose(logvar, np.log(variances), rtol=1e-4, atol=1e-5)


def test_a_latent_is_active_where_its_running_standard_deviation_exceeds_a_half(graph):
    rng = np.random.default_rng(9)
    batches = [rng.normal(size=(50, 3)) * [0.1, 0.45 + 0.1 * k, 2] + [3, 0, k] for k in range(4)]
    model = models.PolarizedVAE(beta=1.0, decay=0.5)
    model._is_training = True
    means = tf.placeholder(tf.float32, [50, 3])
    active = model._active_latents(means)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    model._is_training = False
    active_in_evaluation = model._active_latents(means)
    seen = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for count, batch in enumerate(batches, 1):
            now, _ = session.run([active, updates], {means: batch})
            weights = 0.5 ** np.arange(count)[::-1]
            weights /= weights.sum()
            mean = weights @ [b.mean(0) for b in batches[:count]]
            square = weights @ [np.square(b).mean(0) for b in batches[:count]]
            expected = np.sqrt(square - mean**2) > ACTIVE_STD
            assert now.tolist() == expected.tolist()
            seen.append(expected[1])
            evaluated = session.run(active_in_evaluation, {means: batch * 0})
            assert evaluated.tolist() == expected.tolist()
    assert ACTIVE_STD == 0.5 and set(seen) == {True, False}


def test_no_latent_is_active_before_training(graph):
    model = models.PolarizedVAE(beta=1.0)
    model._is_training = False
    (active,) = value(model._active_latents(tf.ones([5, 3])))
    assert not active.any()


def test_the_polarized_posterior_is_narrower_than_the_prior(graph):
    gin.parse_config(
        "encoder.num_latent = 4\nencoder.encoder_fn = @mlp_encoder\nmlp_encoder.layers = []"
    )
    observations = np.random.default_rng(10).normal(size=(500, 6, 1, 1)) * 3
    _, logvar = models.PolarizedVAE(beta=1.0).gaussian_encoder(
        tf.constant(observations, tf.float32), is_training=True
    )
    (logvar,) = value(logvar)
    assert logvar.max() < 0 and logvar.min() < -1


def test_the_autoencoder_is_deterministic_and_unregularized(graph):
    model = models.Autoencoder()
    mean = tf.constant(np.random.default_rng(11).normal(size=(5, 2)), tf.float32)
    logvar = tf.ones([5, 2])
    sampled = model.sample_from_latent_distribution(mean, logvar)
    kl = model.kl_loss(mean, logvar)
    regularizer = model.regularizer(kl, mean, logvar, sampled)
    expected, sampled, kl, regularizer = value(mean, sampled, kl, regularizer)
    np.testing.assert_array_equal(sampled, expected)
    assert kl == regularizer == 0


@pytest.mark.parametrize(
    "activation, function",
    [
        ("linear", lambda raw: raw),
        ("logits", lambda raw: 1 / (1 + np.exp(-raw))),
        ("tanh", lambda raw: np.tanh(raw) / 2 + 0.5),
    ],
)
def test_squared_error_is_summed_over_the_observation(graph, activation, function):
    rng = np.random.default_rng(12)
    images, raw = rng.uniform(size=(4, 5, 3, 2)), rng.normal(size=(4, 5, 3, 2))
    (error,) = value(models.squared_error(tf.constant(images), tf.constant(raw), activation))
    np.testing.assert_allclose(error, np.square(images - function(raw)).sum((1, 2, 3)))


def test_an_unknown_output_activation_is_named_with_the_known_ones(graph):
    with pytest.raises(InputError, match="'softmax' is unknown.*linear, logits, tanh"):
        models.squared_error(tf.zeros([1, 2]), tf.zeros([1, 2]), "softmax")


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


def test_networks_without_hidden_layers_are_affine(graph):
    rng = np.random.default_rng(13)
    ends = rng.normal(size=(2, 4, 3, 1))
    inputs = np.concatenate([ends, ends.mean(0, keepdims=True)])
    means, logvars = models.mlp_encoder(tf.constant(inputs), 2, layers=[])
    decoded = models.mlp_decoder(means, [4, 3, 1], layers=[])
    for first, second, middle in value(means, logvars, decoded):
        np.testing.assert_allclose(middle, (first + second) / 2, atol=1e-10)
        assert np.abs(first - second).max() > 1e-2


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


MODELS = {
    "full_covariance_vae": [
        "model.model = @full_covariance_vae()",
        "full_covariance_vae.beta = 1e-3",
    ],
    "polarized_vae": ["model.model = @polarized_vae()", "polarized_vae.beta = 1e-3"],
    "autoencoder": ["model.model = @autoencoder()"],
}
DLIB_MODELS = {
    "vae": ["model.model = @vae()", "vae.beta = 1e-3"],
    "annealed_vae": [
        "model.model = @annealed_vae()",
        "annealed_vae.gamma = 0.01",
        "annealed_vae.c_max = 5.0",
        "annealed_vae.iteration_threshold = 50",
    ],
    "factor_vae": ["model.model = @factor_vae()", "factor_vae.gamma = 1e-3"],
    "dip_vae": [
        "model.model = @dip_vae()",
        "dip_vae.lambda_od = 1e-3",
        "dip_vae.lambda_d_factor = 1.0",
        "dip_vae.dip_type = 'i'",
    ],
    "beta_tc_vae": ["model.model = @beta_tc_vae()", "beta_tc_vae.beta = 1e-3"],
}


@pytest.mark.parametrize("loss", ["bernoulli_loss", "squared_error"])
@pytest.mark.parametrize("model", MODELS)
def test_the_papers_models_train_with_dlibs_networks_and_data(tmp_path, model, loss):
    if (model, loss) == ("polarized_vae", "bernoulli_loss"):
        optimizer = ["vae_optimizer.optimizer_fn = @AdagradOptimizer"]
        optimizer.append("AdagradOptimizer.learning_rate = 0.01")
    else:
        optimizer = []
    outcome = trained(
        tmp_path / "m",
        IMAGES,
        *MODELS[model],
        f"reconstruction_loss.loss_fn = @{loss}",
        "model.training_steps = 3",
        *optimizer,
    )
    assert outcome["global_step"] == 3
    assert np.isfinite([outcome[key] for key in ("loss", "elbo", "kl_loss", "regularizer")]).all()
    with tf.Graph().as_default():
        module = hub.Module(str(tmp_path / "m/tfhub"))
        images = tf.zeros([2, 64, 64, 1])
        encoded = module({"images": images}, signature="gaussian_encoder", as_dict=True)
        decoded = module({"latent_vectors": encoded["mean"]}, signature="decoder", as_dict=True)[
            "images"
        ]
        mean, logvar, decoded = value(encoded["mean"], encoded["logvar"], decoded)
    assert mean.shape == logvar.shape == (2, 3) and decoded.shape == (2, 64, 64, 1)


@pytest.mark.parametrize("model", MODELS | DLIB_MODELS)
def test_every_model_learns_synth_linear_with_our_networks(tmp_path, model):
    bindings = [*VECTORS, *(MODELS | DLIB_MODELS)[model]]
    untrained = trained(tmp_path / "untrained", bindings, "model.training_steps = 0")
    outcome = trained(tmp_path / "trained", bindings, "model.training_steps = 400")
    assert outcome["reconstruction_loss"] < untrained["reconstruction_loss"] / 3
    assert np.isfinite(outcome["loss"])


def test_the_loss_of_the_full_covariance_vae_is_beta_times_its_kl(tmp_path):
    outcome = trained(
        tmp_path / "m",
        VECTORS,
        "model.model = @full_covariance_vae()",
        "full_covariance_vae.beta = 3.0",
        "model.training_steps = 10",
    )
    assert outcome["regularizer"] == pytest.approx(3 * outcome["kl_loss"], rel=1e-5)
    assert outcome["loss"] == pytest.approx(
        outcome["reconstruction_loss"] + outcome["regularizer"], rel=1e-5
    )
    assert outcome["elbo"] == pytest.approx(
        -outcome["reconstruction_loss"] - outcome["kl_loss"], rel=1e-5
    )


def test_the_loss_of_the_autoencoder_is_the_reconstructions(tmp_path):
    outcome = trained(tmp_path / "m", VECTORS, *MODELS["autoencoder"], "model.training_steps = 10")
    assert outcome["loss"] == outcome["reconstruction_loss"] == -outcome["elbo"]
    assert outcome["regularizer"] == outcome["kl_loss"] == 0
