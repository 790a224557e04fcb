# SPDX-License-Identifier: Apache-2.0
import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import (
    cars3d,
    dsprites,
    dummy_data,
    mpi3d,
    norb,
    shapes3d,
)
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.shared import architectures
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

from vae_ortho_plugin.data.factor_kinds import named_kinds
from vae_ortho_plugin.data.split_data import SplitGroundTruthData
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.dto import distance_to_orthogonality
from vae_ortho_plugin.metrics import evaluated
from vae_ortho_plugin.metrics.disentanglement_score import disentanglement_score
from vae_ortho_plugin.metrics.dto import dto as dto_metric
from vae_ortho_plugin.trained_model import (
    TrainedModel,
    forward_jacobian,
    open_model,
)

TF114 = Path(__file__).parent / "fixtures" / "tf114_model"
SHAPE = [4, 3, 1]
IMAGE_OF_RAW = {
    "linear": lambda raw: raw,
    "logits": lambda raw: 1 / (1 + np.exp(-raw)),
    "tanh": lambda raw: np.tanh(raw) / 2 + 0.5,
}


class SmallData(SplitGroundTruthData):
    """1,000 points of which an image's first two pixels are the factors."""

    def __init__(self):
        self.factor_names = ["shape", "size"]
        self.factor_kinds = ["categorical", "continuous"]
        rng = np.random.default_rng(0)
        factors = np.stack([rng.integers(3, size=1000), rng.uniform(size=1000)], axis=1)
        observations = rng.uniform(size=(1000, *SHAPE)).astype(np.float32)
        observations.reshape(1000, -1)[:, :2] = factors
        super().__init__(observations, factors)


class FactorlessData(SmallData):
    def __init__(self):
        super().__init__()
        self.factor_names = self.factor_kinds = []


def numpy_decoder(latents, weights):
    """float64 of what `export_model` decodes."""
    return np.tanh(latents @ weights[0]) @ weights[1]


def random_weights(seed=0, latents=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(latents, 7)), rng.normal(size=(7, np.prod(SHAPE)))


def export_model(directory, weights, encoder_weights=None, activation="'logits'", uuid="a run"):
    """A trained model's directory, with a known encoder and decoder."""
    if encoder_weights is None:
        encoder_weights = np.eye(np.prod(SHAPE), weights[0].shape[0])

    def module_fn():
        images = tf.placeholder(tf.float32, [None, *SHAPE])
        mean = tf.matmul(tf.reshape(images, [-1, np.prod(SHAPE)]), encoder_weights.astype("f"))
        hub.add_signature("gaussian_encoder", {"images": images}, {"mean": mean, "logvar": -mean})
        latents = tf.placeholder(tf.float32, [None, weights[0].shape[0]])
        hidden = tf.tanh(tf.matmul(latents, weights[0].astype("f")))
        decoded = tf.reshape(tf.matmul(hidden, weights[1].astype("f")), [-1, *SHAPE])
        hub.add_signature("decoder", {"latent_vectors": latents}, {"images": decoded})

    spec = hub.create_module_spec(module_fn)
    with tf.Graph().as_default(), tf.Session() as session:
        hub.Module(spec).export(str(directory / "tfhub"), session)
    results = directory / "results"
    (results / "gin").mkdir(parents=True)
    (results / "json").mkdir()
    (results / "gin" / "train.gin").write_text(
        f"# Parameters\ndataset.name = 'small'\nreconstruction_loss.activation = {activation}\n"
    )
    (results / "json" / "train_results.json").write_text(json.dumps({"uuid": uuid}))
    return directory


def export_representation(directory, uuid="a run"):
    """A directory as dlib_postprocess leaves it, as far as `find_model_dir` looks."""

    def module_fn():
        images = tf.placeholder(tf.float32, [None, *SHAPE])
        hub.add_signature("representation", {"images": images}, {"default": images})

    with tf.Graph().as_default(), tf.Session() as session:
        module = hub.Module(hub.create_module_spec(module_fn))
        module.export(str(directory / "tfhub"), session)
    (directory / "results" / "json").mkdir(parents=True)
    (directory / "results" / "json" / "train_results.json").write_text(json.dumps({"uuid": uuid}))
    return directory


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return export_model(tmp_path_factory.mktemp("run") / "model", random_weights())


def finite_differences(function, points, step=1e-6):
    """[points, outputs, latents] of a float64 function of [points, latents]."""
    columns = [
        (function(points + step * e) - function(points - step * e)) / (2 * step)
        for e in np.eye(points.shape[1])
    ]
    return np.stack([c.reshape(len(points), -1) for c in columns], axis=2)


def run_dto(directory, data=None, **settings):
    """The metric as the step that evaluates `directory` calls it."""
    with evaluated.model_dir_from(functools.partial(find_model_dir, str(directory))):
        return dto_metric(data or SmallData(), None, np.random.RandomState(0), **settings)


def run_score(data, encode, **settings):
    return disentanglement_score(data, encode, np.random.RandomState(0), **settings)


@pytest.mark.parametrize("decoder", ["fc_decoder", "deconv_decoder"])
def test_forward_jacobian_of_dlib_networks_agrees_with_finite_differences(decoder):
    points = np.random.default_rng(0).normal(size=(2, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        latents = tf.placeholder(tf.float64, [None, 3])
        outputs = getattr(architectures, decoder)(latents, [64, 64, 1])
        jacobian = forward_jacobian(outputs, latents)
        session.run(tf.global_variables_initializer())
        found = session.run(jacobian, {latents: points}).swapaxes(1, 2)
        expected = finite_differences(lambda z: session.run(outputs, {latents: z}), points)
    assert found.shape == (2, 64 * 64, 3)
    close = np.isclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert close.mean() > 0.99  # the rest: where a ReLU's kink lies within the step


def test_forward_jacobian_costs_a_pass_forward_for_the_output_and_for_each_latent():
    trace, latents, layers = tf.RunMetadata(), 3, 4
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = tf.placeholder(tf.float32, [None, latents])
        outputs = tf.sigmoid(architectures.fc_decoder(inputs, [8, 8, 1]))
        jacobian = forward_jacobian(outputs, inputs)
        session.run(tf.global_variables_initializer())
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        session.run(jacobian, {inputs: np.zeros((2, latents))}, options, trace)
    devices = trace.step_stats.dev_stats
    labels = [node.timeline_label for device in devices for node in device.node_stats]
    operations = [label.partition(" = ")[2].partition("(")[0] for label in labels]
    assert sum("MatMul" in operation for operation in operations) == (1 + latents) * layers


@pytest.mark.parametrize("activation", IMAGE_OF_RAW)
def test_model_jacobians_agree_with_finite_differences(model_dir, activation):
    weights, points = random_weights(), np.random.default_rng(1).normal(size=(10, 3))

    def image(latents):
        return IMAGE_OF_RAW[activation](numpy_decoder(latents, weights))

    with TrainedModel(str(model_dir / "tfhub"), activation) as model:
        batches = list(model.jacobians(points, batch_size=4))
        decoded = model.decode(points)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    expected = finite_differences(image, points)
    np.testing.assert_allclose(np.concatenate(batches), expected, atol=1e-5)
    np.testing.assert_allclose(decoded.reshape(10, -1), image(points), atol=1e-5)


def test_jacobian_factors_have_the_dto_of_the_jacobians(model_dir):
    points = np.random.default_rng(1).normal(size=(10, 3))
    with open_model(str(model_dir)) as model:
        factors = model.jacobian_factors(points, batch_size=3)
        # In batches of another size, the float32 Jacobians may differ in their last bits (2e-7 in DtO).
        jacobians = np.concatenate(list(model.jacobians(points, batch_size=3)))
        in_one_batch = model.jacobian_factors(points)
    for latents in ([0, 1, 2], [0, 2]):
        np.testing.assert_allclose(
            distance_to_orthogonality(factors[:, :, latents]).per_point,
            distance_to_orthogonality(jacobians[:, :, latents]).per_point,
            atol=1e-9,
        )
        np.testing.assert_allclose(
            distance_to_orthogonality(factors[:, :, latents]).per_point,
            distance_to_orthogonality(in_one_batch[:, :, latents]).per_point,
            atol=1e-5,
        )


def test_dto_metric_is_that_of_finite_differences_on_the_test_split(model_dir):
    images, _ = SmallData().split("test")
    means = images.reshape(len(images), -1)[:, :3].astype(np.float64)
    weights = random_weights()
    jacobians = finite_differences(
        lambda z: IMAGE_OF_RAW["logits"](numpy_decoder(z, weights)), means
    )
    expected = distance_to_orthogonality(jacobians)
    result = run_dto(model_dir)
    assert result["dto"] == pytest.approx(expected.mean, abs=1e-4)
    assert result["dto_std"] == pytest.approx(expected.std, abs=1e-4)
    assert result["dto_stderr"] == pytest.approx(expected.stderr, abs=1e-4)
    assert result["num_points"] == 100
    assert (result["output"], result["solver"], result["split"]) == ("image", "assignment", "test")
    # The first mean is the class 0, 1 or 2, the others are uniform in [0, 1].
    assert (result["active_latents"], result["num_active_latents"]) == ([0], 1)
    assert result["dto_active"] == 0


def test_dto_metric_among_active_latents_is_that_of_their_columns(tmp_path):
    spread = np.eye(np.prod(SHAPE), 3) * [1, 10, 10]
    result = run_dto(export_model(tmp_path, random_weights(), spread))
    assert result["active_latents"] == [0, 1, 2]
    assert result["dto_active"] == result["dto"]
    passive = run_dto(export_model(tmp_path / "passive", random_weights(), spread * [1, 1, 0.01]))
    assert passive["active_latents"] == [0, 1]
    assert 0 < passive["dto_active"] <= np.sqrt(4)
    none = run_dto(export_model(tmp_path / "none", random_weights(), spread * 0.01))
    assert (none["active_latents"], none["dto_active"], none["dto_active_std"]) == ([], None, None)


def test_raw_output_is_that_of_a_linear_activation_and_needs_no_train_gin(tmp_path):
    linear = export_model(tmp_path / "linear", random_weights(), activation="'linear'")
    expected = run_dto(linear)["dto"]
    unknown = export_model(tmp_path / "unknown", random_weights(), activation="'relu'")
    with pytest.raises(
        InputError, match=r"activation = 'relu', known are 'linear'.*output = 'raw'"
    ):
        run_dto(unknown)
    assert run_dto(unknown, output="raw")["dto"] == expected
    (unknown / "results" / "gin" / "train.gin").unlink()
    with pytest.raises(InputError, match=r"train.gin is missing.*output = 'raw'"):
        run_dto(unknown)
    assert run_dto(unknown, output="raw")["dto"] == expected
    assert run_dto(export_model(tmp_path / "logits", random_weights()))["dto"] != expected


def test_dto_metric_takes_as_many_points_as_asked_for(model_dir):
    assert run_dto(model_dir, num_points=30)["num_points"] == 30
    assert run_dto(model_dir, split="train")["num_points"] == 800
    with pytest.raises(InputError, match="num_points = 101, but the test split has 100 points"):
        run_dto(model_dir, num_points=101)


def test_the_decoder_is_found_where_dlib_reproduce_puts_it(model_dir, tmp_path):
    run = tmp_path / "run"
    model = shutil.copytree(model_dir, run / "model")
    representation = export_representation(run / "postprocessed" / "mean")
    beside = export_representation(run / "mean")
    for directory in (model, representation, beside):
        assert find_model_dir(str(directory)) == str(model)


def test_dto_without_a_decoder_names_the_three_ways_to_give_one(model_dir, tmp_path):
    representation = export_representation(tmp_path / "postprocessed" / "mean")
    ways = "Evaluate the directory that dlib_train wrote.*'model' beside.*or set dto.model_dir"
    with pytest.raises(InputError, match=ways):
        run_dto(representation)
    expected = run_dto(model_dir)["dto"]
    assert run_dto(representation, model_dir=str(model_dir))["dto"] == expected


def test_a_metric_outside_of_a_step_asks_for_the_model_directory(model_dir):
    with pytest.raises(InputError, match="decoder: set dto.model_dir"):
        dto_metric(SmallData(), None, np.random.RandomState(0))
    result = dto_metric(SmallData(), None, np.random.RandomState(0), model_dir=str(model_dir))
    assert result["dto"] == run_dto(model_dir)["dto"]


def test_a_model_of_another_training_is_not_taken(tmp_path):
    export_model(tmp_path / "model", random_weights(), uuid="another run")
    representation = export_representation(tmp_path / "postprocessed" / "mean")
    with pytest.raises(InputError, match="dto needs the trained model's decoder"):
        find_model_dir(str(representation))


def test_a_model_dir_without_a_model_is_named(model_dir, tmp_path):
    with pytest.raises(InputError, match="no TF-Hub module in .*nowhere"):
        run_dto(model_dir, model_dir=str(tmp_path / "nowhere"))
    representation = export_representation(tmp_path / "mean")
    with pytest.raises(InputError, match="no signature 'gaussian_encoder'.*has representation"):
        run_dto(model_dir, model_dir=str(representation), output="raw")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "pixels"}, "Unknown decoder output 'pixels'; use one of image, raw"),
        ({"solver": "simplex"}, "Unknown DtO solver 'simplex'"),
        ({"split": "dev"}, "'dev'"),
        ({"num_points": 0}, "num_points must be at least 1; got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        (
            {"data": dummy_data.DummyData()},
            r"shape \[4, 3, 1\]; the data set has \[64, 64, 1\]. Set dataset.name",
        ),
    ],
)
def test_bad_settings_of_dto_are_refused(model_dir, settings, message):
    with pytest.raises(InputError, match=message):
        run_dto(model_dir, **settings)


def test_a_decoder_that_overflows_is_refused_with_the_point(tmp_path):
    # 10 * 3e38 * sech^2(10 z) overflows at z = 0 alone: where the first factor is 0, not 1 or 2.
    weights = np.diag([10.0, 1.0]), np.full((2, np.prod(SHAPE)), 3e38)
    directory = export_model(tmp_path, weights, activation="'linear'")
    _, factors = SmallData().split("test")
    point = int(np.argmax(factors[:, 0] == 0))
    assert point > 0
    with pytest.raises(InputError, match=f"The Jacobian at point {point} is not finite"):
        run_dto(directory, batch_size=1)


def test_means_that_are_not_finite_are_refused(tmp_path):
    diverged = np.full((np.prod(SHAPE), 3), np.nan)
    with pytest.raises(InputError, match="not finite for some observations"):
        run_dto(export_model(tmp_path, random_weights(), diverged))
    with pytest.raises(InputError, match="not finite for some observations"):
        run_score(SmallData(), lambda images: np.full((len(images), 3), np.inf))


def test_score_metric_is_near_one_for_the_factors_themselves():
    result = run_score(SmallData(), lambda images: images.reshape(len(images), -1)[:, :5])
    assert result["disentanglement_score"] > 0.8
    assert np.argmax(result["score_matrix"], axis=0).tolist() == [0, 1]
    assert np.shape(result["score_matrix"]) == (5, 2)
    assert result["factor_names"] == ["shape", "size"]
    assert result["factor_kinds"] == ["categorical", "continuous"]
    assert result["num_points"] == 100
    json.dumps(result)


def test_data_without_splits_is_sampled():
    images_seen = []

    def encode(images):
        images_seen.append(len(images))
        return images.reshape(len(images), -1)[:, :2]

    result = run_score(dummy_data.DummyData(), encode, num_points=600)
    assert result["num_points"] == sum(images_seen) == 600
    assert result["disentanglement_score"] < 0.1


def test_score_of_data_without_factors_is_refused():
    with pytest.raises(InputError, match="FactorlessData has no generating factors"):
        run_score(FactorlessData(), None)


def test_score_of_data_with_factors_of_unknown_kind_is_refused():
    class OwnData(GroundTruthData):
        num_factors = 2

    with pytest.raises(InputError, match="OwnData.*attributes factor_names and factor_kinds"):
        run_score(OwnData(), None)


def data_of(cls, indices=None):
    """An instance of a dlib data set without its files."""
    data = cls.__new__(cls)
    if indices is not None:
        data.latent_factor_indices = indices
        sizes = getattr(data, "factor_sizes", [2] * 8)
        data.state_space = cars3d.util.SplitDiscreteStateSpace(sizes, indices)
    return data


@pytest.mark.parametrize(
    ("cls", "indices", "categorical", "continuous"),
    [
        (dsprites.DSprites, [1, 2, 3, 4, 5], ["shape"], 4),
        (dsprites.DSprites, [2, 3, 4, 5], [], 4),
        (dsprites.ColorDSprites, [1, 2, 3, 4, 5], ["shape"], 4),
        (dsprites.NoisyDSprites, [0, 1, 2, 3, 4, 5], ["color", "shape"], 4),
        (dsprites.ScreamDSprites, [1, 5], ["shape"], 1),
        (dsprites.AbstractDSprites, [1, 2, 4, 5], ["object color", "shape"], 4),
        (norb.SmallNORB, [0, 2, 3, 4], ["category", "lighting"], 2),
        (cars3d.Cars3D, [0, 1, 2], ["object type"], 2),
        (shapes3d.Shapes3D, list(range(6)), ["object type"], 5),
        (mpi3d.MPI3D, list(range(7)), ["object color", "object shape", "background color"], 4),
        (dummy_data.DummyData, None, [], 10),
        (dummy_data.IdentityObservationsData, None, [], 10),
    ],
)
def test_kinds_of_dlib_factors_are_known(cls, indices, categorical, continuous):
    data = data_of(cls, indices)
    kinds = named_kinds(data)
    assert len(kinds) == data.num_factors
    assert [name for name, kind in kinds.items() if kind == "categorical"] == categorical
    assert list(kinds.values()).count("continuous") == continuous


def test_names_follow_the_factors_that_a_data_set_shows():
    names = list(named_kinds(data_of(dsprites.DSprites, [2, 3, 4, 5])))
    assert names == ["scale", "orientation", "position x", "position y"]
    names = list(named_kinds(data_of(norb.SmallNORB, [0, 2, 3, 4])))
    assert names == ["category", "elevation", "azimuth", "lighting"]


def test_jacobians_of_a_model_exported_under_tensorflow_1_14():
    reference = np.load(TF114 / "reference.npz")
    latents = np.random.RandomState(0)
    latents.random_sample((8, 64, 64, 1))
    latents = latents.normal(size=(4, 3))
    # The decoder is affine before the activation, so that four points determine it.
    raw = reference["decoded"].reshape(4, -1).astype(np.float64)
    design = np.hstack([latents, np.ones((4, 1))])
    weights = np.linalg.solve(design, raw)[:3]
    image = 1 / (1 + np.exp(-raw))
    expected = (image * (1 - image))[:, :, None] * weights.T
    with open_model(str(TF114 / "model")) as model:
        (jacobians,) = model.jacobians(latents)
        means = model.encode(np.random.RandomState(0).random_sample((8, 64, 64, 1)))
    np.testing.assert_allclose(jacobians, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(means, reference["mean"], atol=1e-4)


TRAINING = [
    "dataset.name = 'synth_linear'",
    "synth_linear.num_points = 1000",
    "model.model = @vae()",
    "vae.beta = 1.",
    "model.batch_size = 8",
    "model.training_steps = 3",
    "model.eval_steps = 2",
    "model.random_seed = 0",
    "encoder.num_latent = 3",
    "encoder.encoder_fn = @test_encoder",
    "decoder.decoder_fn = @test_decoder",
    "reconstruction_loss.loss_fn = @l2_loss",
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "AdamOptimizer.learning_rate = 0.01",
]


def evaluation(directory, output, metric, *bindings):
    evaluate.evaluate_with_gin(
        str(directory),
        str(output),
        gin_bindings=[
            f"evaluation.evaluation_fn = @{metric}",
            f"evaluation.name = '{metric}'",
            "evaluation.random_seed = 0",
            "dataset.name = 'auto'",
            "synth_linear.num_points = 1000",
            *bindings,
        ],
    )
    results = json.loads((output / "results" / "json" / "evaluation_results.json").read_text())
    return {k: v for k, v in results.items() if k not in ("uuid", "elapsed_time")}


def test_both_metrics_of_a_model_and_its_postprocessed_representation_through_dlib(tmp_path):
    model, post = tmp_path / "model", tmp_path / "postprocessed" / "mean"
    train.train_with_gin(str(model), gin_bindings=TRAINING)
    postprocess.postprocess_with_gin(
        str(model),
        str(post),
        gin_bindings=[
            "postprocess.postprocess_fn = @mean_representation",
            "postprocess.random_seed = 0",
            "dataset.name = 'auto'",
            "synth_linear.num_points = 1000",
        ],
    )
    dto = evaluation(model, tmp_path / "a", "dto")
    assert evaluation(post, tmp_path / "b", "dto") == dto
    assert 0 < dto["dto"] < np.sqrt(6)
    assert dto["num_points"] == 100
    assert evaluation(model, tmp_path / "c", "dto", "dto.output = 'raw'")["dto_std"] < 1e-4
    assert evaluation(model, tmp_path / "d", "dto", "dto.solver = 'milp'", "dto.num_points = 5")

    score = evaluation(model, tmp_path / "e", "disentanglement_score")
    assert evaluation(post, tmp_path / "f", "disentanglement_score") == score
    assert 0 <= score["disentanglement_score"] <= 1
    assert np.shape(score["score_matrix"]) == (3, 2)
