# SPDX-License-Identifier: Apache-2.0
"""Measures taken while a model trains, and what no tracker can measure, which is refused before training."""

from types import SimpleNamespace

import gin
import numpy as np
import pytest
from parameters_support import long_but

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import dummy_data
from disentanglement_lib.methods.unsupervised import train, vae

# isort: split
import engine_support
import tensorflow.compat.v1 as tf
from engine_support import assert_same, resident, variables
from models_support import COMMON, MODELS, VECTORS, trained

from vae_ortho_plugin import models
from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.engine.estimator import TPUEstimatorSpec
from vae_ortho_plugin.errors import InputError, NonFiniteLossError
from vae_ortho_plugin.measures.dto import distance_to_orthogonality
from vae_ortho_plugin.measures.polarized_regime import polarized_regime, share_below

BINDINGS = [
    *VECTORS,
    *COMMON,
    "mlp_encoder.layers = []",
    "mlp_decoder.layers = [4]",
    "AdamOptimizer.learning_rate = 0.05",
    "model.batch_size = 16",
    "polarized_regime.num_points = 200",
    "dto_while_training.num_points = 300",
]
DATA_SEED = 3  # of `resident`
DLIB_SEED = np.random.RandomState(0).randint(2**32)  # as dlib draws it for `model.random_seed` = 0


@pytest.fixture(autouse=True)
def bindings():
    gin.clear_config()
    gin.parse_config(BINDINGS)
    yield
    gin.clear_config()


def estimator(directory, model):
    return engine_support.estimator(directory, model.model_fn, tf_random_seed=0)


def worked_on(params):
    """An input function that lets training only run step by step."""
    batch = resident(params)
    return batch * 1.0


def generated(params):
    def generate():
        random_state = np.random.RandomState(DATA_SEED)
        while True:
            yield random_state.normal(size=[3, 1, 1])

    dataset = tf.data.Dataset.from_generator(generate, tf.float32, [3, 1, 1])
    dataset = dataset.batch(params["batch_size"], drop_remainder=True)
    return dataset.make_one_shot_iterator().get_next()


def first_points(num, seed):
    """The first training points that dlib's generator draws."""
    random_state, data = np.random.RandomState(seed), SynthLinear(num_points=1000)
    return np.concatenate([data.sample_observations(1, random_state) for _ in range(num)])


def measured(directory, regime_every=0, dto_every=0, steps=50, model=None, input_fn=resident):
    """(Δ_KL's results, DtO's results) of a training run."""
    gin.bind_parameter("polarized_regime.every", regime_every)
    gin.bind_parameter("dto_while_training.every", dto_every)
    trained = estimator(directory, model or vae.BetaVAE(1e-3)).train(input_fn, steps=steps)
    return results_of(trained)


def results_of(trained):
    results = trained.evaluate(lambda params: resident(params, 1))
    return results.get("polarized_regime"), results.get("dto_while_training")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """Directory and results of a training run of 61 steps, with Δ_KL each 20 and DtO each 25 steps."""
    gin.parse_config(BINDINGS)
    directory = tmp_path_factory.mktemp("tracked")
    regime, dto = measured(directory, 20, 25, steps=61)
    gin.clear_config()
    assert (regime["steps"], dto["steps"]) == ([20, 40, 60, 61], [0, 25, 50, 61])
    assert len(set(regime["kl"])) == len(set(dto["dto"])) == 4 and min(regime["kl"]) > 0
    return SimpleNamespace(directory=directory, regime=regime, dto=dto)


def summaries(directory, prefix):
    (path,) = directory.glob("events.*")
    events = [e for e in tf.train.summary_iterator(str(path)) if e.summary.value]
    scalars = [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in events]
    return [(step, values) for step, values in scalars if any(t.startswith(prefix) for t in values)]


def assert_last_regime_is_that_of(regime, directory):
    """But for L_KL itself, which a model may have of its own."""
    with open_model(str(directory)) as exported:
        means, logvars = exported.posterior(first_points(regime["num_points"], DLIB_SEED))
    expected = polarized_regime(means, np.exp(logvars / 2))
    assert regime["polarized_kl"][-1] == pytest.approx(expected.polarized_kl, rel=1e-4, abs=1e-6)
    assert regime["active"] == expected.active
    assert regime["num_active"][-1] == len(expected.active)
    share = share_below(regime["steps"], regime["delta_kl"], regime["steps"][-1])
    assert regime["share_below_3_percent"] == share
    return expected


def test_the_last_values_of_the_polarized_regime_are_those_of_the_exported_model(linear_vae):
    regime = linear_vae.results["polarized_regime"]
    assert (regime["steps"], regime["every"], regime["num_points"]) == ([150, 200], 150, 1000)
    expected = assert_last_regime_is_that_of(regime, linear_vae.directory)
    assert regime["kl"][-1] == pytest.approx(expected.kl, rel=1e-4, abs=1e-6)
    assert regime["delta_kl"][-1] == pytest.approx(expected.delta_kl, rel=1e-3)


# The other models have the encoder of vae.
@pytest.mark.parametrize(
    "model",
    long_but(
        ["full_covariance_vae"], ["factor_vae", "full_covariance_vae", "polarized_vae", "vae"]
    ),
)
def test_the_last_values_are_those_of_the_exported_model(tmp_path, model):
    directory = tmp_path / "model"
    gin.clear_config()
    results = trained(
        directory,
        BINDINGS,
        *MODELS[model],
        "reconstruction_loss.activation = 'logits'",
        "model.training_steps = 60",
        "polarized_regime.every = 25",
        "dto_while_training.every = 25",
    )
    regime, dto = results["polarized_regime"], results["dto_while_training"]
    # FactorVAE's two optimizers count the global step up twice for each batch.
    steps = [50, 60] if model == "factor_vae" else [25, 50, 60]
    assert regime["steps"] == steps and dto["steps"] == [0, *steps]
    assert regime["every"] == dto["every"] == 25
    assert regime["num_points"] == 200 and dto["num_points"] == 300
    with open_model(str(directory)) as exported:
        factors = exported.jacobian_factors(exported.encode(first_points(300, DLIB_SEED)))
    assert dto["dto"][-1] == pytest.approx(distance_to_orthogonality(factors).mean, rel=1e-4)
    expected = assert_last_regime_is_that_of(regime, directory)
    if model == "full_covariance_vae":
        kl = kl_of_full_covariance(
            variables(directory / "tf_checkpoint"), first_points(200, DLIB_SEED)
        )
        assert regime["kl"][-1] == pytest.approx(kl, rel=1e-4)
    else:
        assert regime["kl"][-1] == pytest.approx(expected.kl, rel=1e-4, abs=1e-6)
        assert regime["delta_kl"][-1] == pytest.approx(expected.delta_kl, rel=1e-3)


def kl_of_full_covariance(trained, points):
    first, second = (
        points.reshape(200, 3) @ trained[f"encoder/{name}/kernel"] + trained[f"encoder/{name}/bias"]
        for name in ("means", "log_var")
    )
    mean, scale = first[:, :2], np.zeros([200, 2, 2])
    scale[:, [0, 1], [0, 1]] = np.exp(second[:, :2] / 2)
    scale[:, 1, 0] = first[:, 2]
    assert np.abs(first[:, 2]).max() > 0.01
    covariance = scale @ scale.swapaxes(1, 2)
    trace = np.trace(covariance, axis1=1, axis2=2)
    return np.mean(0.5 * (np.sum(mean**2, 1) + trace - np.log(np.linalg.det(covariance)) - 2))


@pytest.mark.parametrize(
    "xla, input_fn",
    long_but([("off", worked_on)], [("on", resident), ("off", worked_on), ("auto", generated)]),
    ids=["xla", "step by step", "generator"],
)
def test_the_trained_weights_do_not_depend_on_the_measures(tmp_path, xla, input_fn):
    gin.bind_parameter("training_loop.xla", xla)
    assert measured(tmp_path / "off", steps=20, input_fn=input_fn) == (None, None)
    regime, dto = measured(tmp_path / "on", 7, 15, steps=20, input_fn=input_fn)
    assert (regime["steps"], dto["steps"]) == ([7, 14, 20], [0, 15, 20])
    assert len(set(regime["kl"])) == len(set(dto["dto"])) == 3 and min(regime["kl"]) > 0
    assert_same(variables(tmp_path / "on"), variables(tmp_path / "off"))


def test_in_the_loop_neither_the_weights_depend_on_the_measures(tracked, tmp_path):
    assert measured(tmp_path, steps=61) == (None, None)
    assert_same(variables(tmp_path), variables(tracked.directory))


def test_the_measures_do_not_depend_on_steps_per_session_call(tracked, tmp_path):
    gin.bind_parameter("training_loop.iterations_per_loop", 9)
    assert measured(tmp_path, 20, 25, steps=61) == (tracked.regime, tracked.dto)


def test_convolutions_and_dlibs_generator_data_are_measured(tmp_path):
    def images(params, num_batches=None):
        data = train.util.tf_data_set_from_ground_truth_data(dummy_data.DummyData(), DATA_SEED)
        batches = data.batch(4, drop_remainder=True).take(num_batches or 10)
        return batches.make_one_shot_iterator().get_next()

    gin.parse_config("polarized_regime.every = 2\npolarized_regime.num_points = 6")
    gin.parse_config("encoder.encoder_fn = @conv_encoder\ndecoder.decoder_fn = @deconv_decoder")
    gin.parse_config("AdamOptimizer.learning_rate = 0.001")
    trained = estimator(tmp_path, vae.BetaVAE(1e-3)).train(images, steps=4)
    results = trained.evaluate(lambda params: images(params, 1))["polarized_regime"]
    assert (results["steps"], results["num_points"]) == ([2, 4], 6)
    assert min(results["kl"]) > 0


def test_xla_evaluates_what_the_plain_loop_does_also_for_an_autoencoder(tmp_path):
    autoencoder = models.Autoencoder()
    autoencoder.kl_loss = vae.compute_gaussian_kl  # deterministic, but with a KL term to measure
    gin.bind_parameter("encoder.num_latent", 3)
    plain, dto = measured(tmp_path / "off", 10, 20, steps=20, model=autoencoder)
    assert dto["steps"] == [0, 20] and min(dto["dto"]) > 0
    gin.bind_parameter("training_loop.xla", "on")
    compiled, _ = measured(tmp_path / "on", 10, steps=20, model=autoencoder)
    assert compiled["steps"] == plain["steps"] == [10, 20]
    np.testing.assert_allclose(compiled["polarized_kl"], plain["polarized_kl"], rtol=1e-3)
    np.testing.assert_allclose(compiled["kl"], plain["kl"], rtol=1e-3)


def test_the_measures_come_at_their_intervals_in_a_continued_training(tracked, tmp_path):
    gin.parse_config("polarized_regime.every = 20\ndto_while_training.every = 25")
    twice = estimator(tmp_path, vae.BetaVAE(1e-3))
    for steps in (30, 31):
        twice.train(resident, steps=steps)
    regime, dto = results_of(twice)
    assert regime["steps"] == [20, 30, 40, 60, 61] and dto["steps"] == [0, 25, 30, 50, 61]
    np.testing.assert_allclose(np.delete(regime["kl"], 1), tracked.regime["kl"], rtol=1e-5)


def test_the_measures_are_written_for_tensorboard(tracked):
    regime, dto = tracked.regime, tracked.dto
    names = ("kl", "polarized_kl", "delta_kl", "num_active")
    written = summaries(tracked.directory, "polarized_regime")
    assert [step for step, _ in written] == regime["steps"]
    for index, (_, scalars) in enumerate(written):
        assert scalars == {
            f"polarized_regime/{name}": pytest.approx(regime[name][index]) for name in names
        }
    written = summaries(tracked.directory, "dto")
    assert [step for step, _ in written] == dto["steps"]
    assert [scalars["dto"] for _, scalars in written] == pytest.approx(dto["dto"])


def test_evaluations_before_a_failure_are_written_for_tensorboard(tmp_path):
    gin.bind_parameter("polarized_regime.every", 1)
    gin.bind_parameter("AdamOptimizer.learning_rate", 1e30)
    with pytest.raises(NonFiniteLossError, match="at step 2"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=20)
    assert summaries(tmp_path, "polarized_regime")[0][0] == 1


def test_an_untrained_model_has_no_share_and_the_dto_of_its_initial_weights(tracked, tmp_path):
    results, dto = measured(tmp_path, 20, 25, steps=0)
    assert results["steps"] == [] and results["share_below_3_percent"] is None
    posterior_mean = (
        first_points(200, DATA_SEED).reshape(200, 3) @ variables(tmp_path)["encoder/means/kernel"]
    )
    assert results["active"] == np.flatnonzero(posterior_mean.std(0) > 0.5).tolist()
    assert (dto["steps"], dto["dto"]) == ([0], tracked.dto["dto"][:1])


def test_a_model_without_kl_divergence_is_refused_and_leaves_nothing(tmp_path):
    gin.clear_config()
    with pytest.raises(InputError, match="Autoencoder has no KL divergence.*every = 0"):
        steps = "model.training_steps = 5", "polarized_regime.every = 2"
        trained(tmp_path / "model", BINDINGS, *MODELS["autoencoder"], *steps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("polarized_regime.every", -1),
        ("polarized_regime.num_points", "all"),
        ("dto_while_training.every", 2.5),
        ("dto_while_training.num_points", 0),
    ],
)
def test_a_bad_setting_is_refused(tmp_path, parameter, value):
    gin.bind_parameter(parameter.partition(".")[0] + ".every", 2)
    gin.bind_parameter(parameter, value)
    with pytest.raises(InputError, match=f"{parameter} = {value!r}.*whole number"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)


def test_a_model_function_of_no_model_is_refused(tmp_path):
    class Nothing:
        @staticmethod
        def model_fn(features, labels, mode, params):
            return TPUEstimatorSpec(mode=mode)

    gin.bind_parameter("polarized_regime.every", 2)
    with pytest.raises(InputError, match="polarized_regime needs a model.*gaussian_encoder"):
        estimator(tmp_path, Nothing).train(resident, steps=5)


@pytest.mark.parametrize(
    "initial, message",
    [(lambda: tf.ones([3, 2]), "made new weights.*forgotten"), (np.ones([3, 2]), "failed")],
    ids=["made in the loop", "made outside"],
)
def test_an_encoder_that_makes_new_weights_when_called_again_is_refused(tmp_path, initial, message):
    class Forgetful(vae.BetaVAE):
        def gaussian_encoder(self, input_tensor, is_training):
            value = initial if callable(initial) else tf.constant(initial, tf.float32)
            weight = tf.Variable(value, name="forgotten")
            flat = tf.reshape(input_tensor, [-1, 3])
            return flat @ weight, flat @ weight

    gin.bind_parameter("polarized_regime.every", 2)
    with pytest.raises(InputError, match=f"networks once more, and that {message}.*every = 0"):
        estimator(tmp_path, Forgetful(1e-3)).train(resident, steps=5)


def test_dto_of_an_image_by_an_unknown_activation_is_refused(tmp_path):
    gin.bind_parameter("dto_while_training.every", 2)
    gin.bind_parameter("reconstruction_loss.activation", "relu")
    with pytest.raises(InputError, match="activation = 'relu' is unknown.*'linear', 'logits'"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)


def test_dto_of_more_latents_than_outputs_is_refused_before_training(tmp_path, capsys):
    gin.bind_parameter("encoder.num_latent", 4)
    gin.bind_parameter("dto_while_training.every", 2)
    with pytest.raises(InputError, match="3 outputs with respect to 4 latents"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=5)
    assert "trained" not in capsys.readouterr().err
