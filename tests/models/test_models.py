# SPDX-License-Identifier: Apache-2.0

import gin
import numpy as np
import pytest
from parameters_support import long_but

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
import disentanglement_lib  # noqa: F401

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from models_support import MODELS, VARIANCE, VECTORS, fresh_gin, graph, trained, value  # noqa: F401

from vae_ortho_plugin import models
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD
from vae_ortho_plugin.models import losses

IMAGES = [
    "dataset.name = 'dummy_data'",
    "encoder.num_latent = 3",
    "encoder.encoder_fn = @conv_encoder",
    "decoder.decoder_fn = @deconv_decoder",
    "reconstruction_loss.activation = 'logits'",
    "AdamOptimizer.learning_rate = 0.001",
    "model.batch_size = 4",
]


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


@pytest.mark.parametrize("loss", long_but(["squared_error"], ["bernoulli_loss", "squared_error"]))
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


@pytest.mark.parametrize(
    "model",
    long_but([*MODELS, "vae"], MODELS | DLIB_MODELS),
)
def test_every_model_learns_synth_linear_with_our_networks(tmp_path, model):
    bindings = [*VECTORS, *(MODELS | DLIB_MODELS)[model]]
    outcome = trained(tmp_path / "trained", bindings, "model.training_steps = 400")
    start = VARIANCE
    if model in DLIB_MODELS:  # whose regularizers cost more of the variance
        untrained = trained(tmp_path / "untrained", bindings, "model.training_steps = 0")
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
