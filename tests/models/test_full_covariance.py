# SPDX-License-Identifier: Apache-2.0

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import vae

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
import tensorflow_probability as tfp
from models_support import MODELS, VECTORS, fresh_gin, graph, trained, value  # noqa: F401

from vae_ortho_plugin import models
from vae_ortho_plugin.models import losses
from vae_ortho_plugin.models.full_covariance import scale_tril


def random_tril(seed, batch, latents):
    rng = np.random.default_rng(seed)
    tril = np.tril(rng.normal(size=(batch, latents, latents)), -1)
    return tril + np.eye(latents) * rng.uniform(0.2, 2, size=(batch, latents, 1))


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
