# SPDX-License-Identifier: Apache-2.0
"""Measures taken while a model trains."""

import gin
import numpy as np
import pytest
from parameters_support import long_but

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import vae

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from tracking_support import DATA_SEED, MODELS, bindings, estimator, resident, train_by_gin  # noqa: F401

from vae_ortho_plugin import models
from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import NonFiniteLossError
from vae_ortho_plugin.measures.dto import distance_to_orthogonality
from vae_ortho_plugin.measures.polarized_regime import polarized_regime, share_below


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


def first_points(num):
    """The first training points that dlib's generator draws."""
    random_state, data = np.random.RandomState(DATA_SEED), SynthLinear(num_points=1000)
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


def weights(directory):
    reader = tf.train.load_checkpoint(str(directory))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def summaries(directory, prefix):
    (path,) = directory.glob("events.*")
    events = [e for e in tf.train.summary_iterator(str(path)) if e.summary.value]
    scalars = [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in events]
    return [(step, values) for step, values in scalars if any(t.startswith(prefix) for t in values)]


def exported_posterior(module, points):
    """Means and standard deviations [points, latents] of a TF-Hub module's encoder."""
    with tf.Graph().as_default(), tf.Session() as session:
        encode = hub.Module(str(module))
        outputs = encode({"images": points}, signature="gaussian_encoder", as_dict=True)
        session.run(tf.global_variables_initializer())
        outputs = session.run(outputs)
    return outputs["mean"], np.exp(outputs["logvar"] / 2)


def first_points_of_dlib(num):
    """The same for `model.random_seed` = 0, from which dlib draws the seed of the data."""
    random_state = np.random.RandomState(np.random.RandomState(0).randint(2**32))
    data = SynthLinear(num_points=1000)
    return np.concatenate([data.sample_observations(1, random_state) for _ in range(num)])


@pytest.mark.parametrize(
    "model", long_but(["vae", "polarized_vae", "full_covariance_vae"], sorted(MODELS))
)
def test_the_last_values_are_those_of_the_exported_model(tmp_path, model):
    results = train_by_gin(
        tmp_path / "model",
        model,
        "reconstruction_loss.activation = 'logits'",
        "model.training_steps = 60",
        "polarized_regime.every = 25",
        "dto_while_training.every = 25",
    )
    regime, dto = results["polarized_regime"], results["dto_while_training"]
    points = first_points_of_dlib(300)
    with open_model(str(tmp_path / "model")) as exported:
        expected = distance_to_orthogonality(exported.jacobian_factors(exported.encode(points)))
    assert dto["dto"][-1] == pytest.approx(expected.mean, rel=1e-4)
    expected = polarized_regime(*exported_posterior(tmp_path / "model/tfhub", points[:200]))
    assert regime["polarized_kl"][-1] == pytest.approx(expected.polarized_kl, rel=1e-4, abs=1e-6)
    assert regime["active"] == expected.active
    assert regime["num_active"][-1] == len(expected.active)
    if model != "full_covariance_vae":
        assert regime["kl"][-1] == pytest.approx(expected.kl, rel=1e-4, abs=1e-6)
        assert regime["delta_kl"][-1] == pytest.approx(expected.delta_kl, rel=1e-3)
    # FactorVAE's two optimizers count the global step up twice for each batch.
    steps = [50, 60] if model == "factor_vae" else [25, 50, 60]
    assert regime["steps"] == steps and dto["steps"] == [0, *steps]
    assert regime["every"] == dto["every"] == 25
    assert regime["num_points"] == 200 and dto["num_points"] == 300
    share = share_below(regime["steps"], regime["delta_kl"], 60)
    assert regime["share_below_3_percent"] == share


def test_kl_of_a_full_covariance_is_its_own(tmp_path):
    model = models.FullCovarianceVAE(beta=1e-3)
    results, _ = measured(tmp_path, 50, steps=100, model=model)
    trained = weights(tmp_path)
    points = first_points(200).reshape(200, 3)
    first, second = (
        points @ trained[f"encoder/{name}/kernel"] + trained[f"encoder/{name}/bias"]
        for name in ("means", "log_var")
    )
    mean, scale = first[:, :2], np.zeros([200, 2, 2])
    scale[:, [0, 1], [0, 1]] = np.exp(second[:, :2] / 2)
    scale[:, 1, 0] = first[:, 2]
    covariance = scale @ scale.swapaxes(1, 2)
    trace = np.trace(covariance, axis1=1, axis2=2)
    kl = 0.5 * (np.sum(mean**2, 1) + trace - np.log(np.linalg.det(covariance)) - 2)
    assert np.abs(first[:, 2]).max() > 0.01
    assert results["kl"][-1] == pytest.approx(kl.mean(), rel=1e-4)


@pytest.mark.parametrize(
    "xla, input_fn",
    long_but(
        [("off", resident), ("off", worked_on)],
        [("off", resident), ("on", resident), ("off", worked_on), ("auto", generated)],
    ),
    ids=["loop", "xla", "step by step", "generator"],
)
def test_the_trained_weights_do_not_depend_on_the_measures(tmp_path, xla, input_fn):
    gin.bind_parameter("training_loop.xla", xla)
    assert measured(tmp_path / "off", input_fn=input_fn) == (None, None)
    regime, dto = measured(tmp_path / "on", 7, 15, input_fn=input_fn)
    assert regime["steps"] == [7, 14, 21, 28, 35, 42, 49, 50]
    assert len(set(regime["kl"])) == 8 and min(regime["kl"]) > 0
    assert dto["steps"] == [0, 15, 30, 45, 50]
    assert len(set(dto["dto"])) == 5
    assert_same(weights(tmp_path / "on"), weights(tmp_path / "off"))


def test_convolutions_and_dlibs_generator_data_are_measured(tmp_path):
    results = train_by_gin(
        tmp_path / "model",
        "vae",
        "dataset.name = 'dummy_data'",
        "encoder.encoder_fn = @conv_encoder",
        "decoder.decoder_fn = @deconv_decoder",
        "reconstruction_loss.loss_fn = @bernoulli_loss",
        "reconstruction_loss.activation = 'logits'",
        "AdamOptimizer.learning_rate = 0.001",
        "model.batch_size = 4",
        "model.training_steps = 4",
        "polarized_regime.every = 2",
        "polarized_regime.num_points = 6",
    )["polarized_regime"]
    assert results["steps"] == [2, 4]
    assert results["num_points"] == 6
    assert min(results["kl"]) > 0


def test_the_measures_do_not_depend_on_steps_per_session_call(tmp_path):
    found = []
    for number in (1, 9, 500):
        gin.bind_parameter("training_loop.iterations_per_loop", number)
        found.append(measured(tmp_path / f"{number}", 20, 30, steps=61))
    regime, dto = found[0]
    assert regime["steps"] == [20, 40, 60, 61]
    assert dto["steps"] == [0, 30, 60, 61]
    assert found[0] == found[1] == found[2]


def test_xla_evaluates_what_the_plain_loop_does(tmp_path):
    autoencoder = models.Autoencoder()
    autoencoder.kl_loss = vae.compute_gaussian_kl  # deterministic, but with a KL term to measure
    gin.bind_parameter("encoder.num_latent", 3)
    plain, _ = measured(tmp_path / "off", 10, model=autoencoder)
    gin.bind_parameter("training_loop.xla", "on")
    compiled, _ = measured(tmp_path / "on", 10, model=autoencoder)
    assert compiled["steps"] == plain["steps"]
    np.testing.assert_allclose(compiled["polarized_kl"], plain["polarized_kl"], rtol=1e-3)
    np.testing.assert_allclose(compiled["kl"], plain["kl"], rtol=1e-3)


def test_the_measures_come_at_their_intervals_in_a_continued_training(tmp_path):
    gin.bind_parameter("polarized_regime.every", 20)
    gin.bind_parameter("dto_while_training.every", 20)
    once = estimator(tmp_path / "once", vae.BetaVAE(1e-3)).train(resident, steps=60)
    twice = estimator(tmp_path / "twice", vae.BetaVAE(1e-3))
    for _ in range(2):
        twice.train(resident, steps=30)
    (once, _), (twice, dto) = results_of(once), results_of(twice)
    assert once["steps"] == [20, 40, 60] and twice["steps"] == [20, 30, 40, 60]
    np.testing.assert_allclose(np.delete(twice["kl"], 1), once["kl"], rtol=1e-5)
    assert dto["steps"] == [0, 20, 30, 40, 60]


def test_the_measures_are_written_for_tensorboard(tmp_path):
    regime, dto = measured(tmp_path, 20, 30)
    names = ("kl", "polarized_kl", "delta_kl", "num_active")
    written = summaries(tmp_path, "polarized_regime")
    assert [step for step, _ in written] == regime["steps"]
    for index, (_, scalars) in enumerate(written):
        assert scalars == {
            f"polarized_regime/{name}": pytest.approx(regime[name][index]) for name in names
        }
    written = summaries(tmp_path, "dto")
    assert [step for step, _ in written] == dto["steps"]
    assert [scalars["dto"] for _, scalars in written] == pytest.approx(dto["dto"])


def test_evaluations_before_a_failure_are_written_for_tensorboard(tmp_path):
    gin.bind_parameter("polarized_regime.every", 1)
    gin.bind_parameter("AdamOptimizer.learning_rate", 1e30)
    with pytest.raises(NonFiniteLossError, match="at step 2"):
        estimator(tmp_path, vae.BetaVAE(1e-3)).train(resident, steps=20)
    assert summaries(tmp_path, "polarized_regime")[0][0] == 1


def test_an_untrained_model_has_no_share(tmp_path):
    results, _ = measured(tmp_path, 20, steps=0)
    assert results["steps"] == [] and results["share_below_3_percent"] is None
    posterior_mean = first_points(200).reshape(200, 3) @ weights(tmp_path)["encoder/means/kernel"]
    assert results["active"] == np.flatnonzero(posterior_mean.std(0) > 0.5).tolist()


def test_dto_of_an_untrained_model_is_that_of_its_initial_weights(tmp_path):
    _, trained = measured(tmp_path / "trained", dto_every=50)
    _, untrained = measured(tmp_path / "untrained", dto_every=50, steps=0)
    assert untrained["steps"] == [0]
    assert untrained["dto"] == trained["dto"][:1]


def test_an_autoencoder_has_dto(tmp_path):
    _, results = measured(tmp_path, dto_every=50, model=models.Autoencoder())
    assert results["steps"] == [0, 50] and min(results["dto"]) > 0
