# SPDX-License-Identifier: Apache-2.0
import functools

import gin
import numpy as np
import pytest
from engine_support import variables
from models_support import IMAGES, MODELS, OF_THE_PAPER, VARIANCE, VECTORS, tf, trained, value
from parameters_support import long_but

# isort: split
import tensorflow_probability as tfp

from vae_ortho_plugin import models
from vae_ortho_plugin.decoder.trained_model import HubModule, open_model
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD
from vae_ortho_plugin.models import losses
from vae_ortho_plugin.models.full_covariance import scale_tril


def test_polarized_kl_of_a_case_by_hand_has_no_gradient_by_passive_latents(graph):
    mean, logvar = tf.constant([[1.0, 2.0, 3.0]]), tf.constant([[-2.0, 90.0, -4.0]])
    kl = losses.polarized_kl(mean, logvar, tf.constant([True, False, True]))
    kl, by_mean, by_logvar = value(kl, *tf.gradients(kl, [mean, logvar]))
    # ½ ((1 + 2 − 1) + (9 + 4 − 1))
    np.testing.assert_allclose(kl, [7.0], rtol=1e-6)
    np.testing.assert_allclose(by_mean, [[1, 0, 3]])
    np.testing.assert_allclose(by_logvar, [[-0.5, 0, -0.5]])


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
        before = session.run(active_in_evaluation, {means: batches[0]})
        assert not before.any()  # before training
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


def test_the_kl_loss_is_that_of_tensorflow_probability(graph):
    rng = np.random.default_rng(1)
    mean, tril = rng.normal(size=(20, 4)), np.tril(rng.normal(size=(20, 4, 4)), -1)
    tril += np.eye(4) * rng.uniform(0.2, 2, size=(20, 4, 1))
    model = models.FullCovarianceVAE(beta=1.0)
    model._scale_tril = tf.constant(tril)
    distributions = tfp.distributions
    posterior = distributions.MultivariateNormalTriL(mean, tril)
    prior = distributions.MultivariateNormalTriL(np.zeros(4), np.eye(4))
    ours, theirs = value(
        model.kl_loss(tf.constant(mean), None), distributions.kl_divergence(posterior, prior)
    )
    assert theirs.min() > 0.1
    np.testing.assert_allclose(ours, theirs.mean(), rtol=1e-10)


def test_scale_tril_is_lower_triangular_with_a_positive_diagonal(graph):
    rng = np.random.default_rng(7)
    diagonal, below = rng.normal(size=(6, 4)), rng.normal(size=(6, 6))
    one = scale_tril(tf.constant([[2.0]]), tf.zeros([1, 0]))
    tril, one = value(scale_tril(tf.constant(diagonal), tf.constant(below)), one)
    expected = np.zeros((6, 4, 4))
    expected[:, range(4), range(4)] = np.exp(diagonal / 2)
    for index, (row, column) in enumerate([(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]):
        expected[:, row, column] = below[:, index]
    np.testing.assert_allclose(tril, expected)
    np.testing.assert_allclose(one, [[[np.e]]], rtol=1e-6)


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


@pytest.mark.parametrize("model", long_but(["full_covariance_vae"], OF_THE_PAPER))
def test_the_papers_models_train_with_dlibs_networks_and_data(tmp_path, model):
    loss = "reconstruction_loss.loss_fn = @bernoulli_loss"
    outcome = trained(tmp_path / "m", IMAGES, *MODELS[model], loss)
    assert outcome["global_step"] == 2
    assert np.isfinite([outcome[key] for key in ("loss", "elbo", "kl_loss", "regularizer")]).all()
    with open_model(str(tmp_path / "m")) as exported:
        mean, logvar = exported.posterior(np.zeros((2, 64, 64, 1)))
        decoded = exported.decode(mean)
    assert mean.shape == logvar.shape == (2, 3) and decoded.shape == (2, 64, 64, 1)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Model → the directory and the results of its training run on Synth. Lin., made once."""

    @functools.cache
    def learned_once(model):
        directory = tmp_path_factory.mktemp(model) / "m"
        return directory, trained(directory, VECTORS, *MODELS[model], "model.training_steps = 400")

    return learned_once


@pytest.mark.parametrize("model", long_but(OF_THE_PAPER, MODELS))
def test_every_model_learns_synth_linear_with_our_networks(tmp_path, learned, model):
    _, outcome = learned(model)
    start = VARIANCE
    if model not in OF_THE_PAPER:  # whose regularizers cost more of the variance
        steps = "model.training_steps = 0"
        untrained = trained(tmp_path / "untrained", VECTORS, *MODELS[model], steps)
        start = untrained["reconstruction_loss"]
    assert outcome["reconstruction_loss"] < start / 3
    loss, reconstruction, kl, regularizer = (
        outcome[name] for name in ("loss", "reconstruction_loss", "kl_loss", "regularizer")
    )
    assert loss == pytest.approx(reconstruction + regularizer, rel=1e-5)
    if model == "full_covariance_vae":
        assert regularizer == pytest.approx(1e-3 * kl, rel=1e-5)
        assert outcome["elbo"] == pytest.approx(-reconstruction - kl, rel=1e-5)
    if model == "autoencoder":
        assert regularizer == kl == 0 and -outcome["elbo"] == reconstruction


def test_the_autoencoder_decodes_its_means(learned):
    directory, _ = learned("autoencoder")
    images = np.random.default_rng(11).uniform(size=(4, 3, 1, 1))
    with open_model(str(directory)) as model:
        decoded = model.decode(model.encode(images))
    module = HubModule(str(directory / "tfhub"))
    feeds, outputs = module.apply("reconstructions")
    with module.session as session:
        rebuilt = session.run(outputs["images"], {feeds["images"]: images})
    np.testing.assert_allclose(rebuilt, decoded, atol=1e-6)


def test_the_full_covariance_vae_exports_its_noise_and_the_log_of_its_covariances_diagonal(learned):
    directory, _ = learned("full_covariance_vae")
    batch = np.random.default_rng(0).uniform(size=(4, 3, 1, 1)).astype(np.float32)
    with open_model(str(directory)) as model:
        mean, logvar = model.posterior(batch)
        (jacobians,) = model.jacobians(mean)
        of_noise = model.noise_jacobians(batch)
    assert mean.shape == logvar.shape == (4, 2)
    weights = variables(directory / "tf_checkpoint")

    def layer(name, inputs):
        return inputs @ weights[f"encoder/{name}/kernel"] + weights[f"encoder/{name}/bias"]

    hidden = np.maximum(layer("hidden1", batch.reshape(4, 3)), 0)
    first, second = layer("means", hidden), layer("log_var", hidden)
    np.testing.assert_allclose(mean, first[:, :2], rtol=1e-4, atol=1e-5)
    scale = np.zeros((4, 2, 2))
    scale[:, [0, 1], [0, 1]] = np.exp(second[:, :2] / 2)
    scale[:, 1, 0] = first[:, 2]
    variances = np.square(scale).sum(axis=2)
    np.testing.assert_allclose(logvar, np.log(variances), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_noise, jacobians @ scale, rtol=1e-4, atol=1e-5)
    assert np.abs(scale[:, 1, 0]).min() > 1e-3
