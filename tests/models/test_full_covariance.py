# SPDX-License-Identifier: Apache-2.0

import gin
import numpy as np
from models_support import tf, value

# isort: split
import tensorflow_probability as tfp

from vae_ortho_plugin import models
from vae_ortho_plugin.models.full_covariance import scale_tril


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
