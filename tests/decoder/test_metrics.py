# SPDX-License-Identifier: Apache-2.0
import functools
import json
import shutil

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import (
    dummy_data,
)
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from metrics_support import (  # noqa: F401
    IMAGE_OF_RAW,
    SHAPE,
    export_model,
    finite_differences,
    model_dir,
    numpy_decoder,
    random_weights,
)

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.disentanglement_score import disentanglement_score
from vae_ortho_plugin.decoder.metrics.dto import dto as dto_metric
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.dto import distance_to_orthogonality


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


def run_dto(directory, data=None, **settings):
    """The metric as the step that evaluates `directory` calls it."""
    with evaluated.model_dir_from(functools.partial(find_model_dir, str(directory))):
        return dto_metric(data or SmallData(), None, np.random.RandomState(0), **settings)


def run_score(data, encode, **settings):
    return disentanglement_score(data, encode, np.random.RandomState(0), **settings)


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
    # Columns that are picked lie in another order in memory, so that sums may differ in the last bit.
    assert result["dto_active"] == pytest.approx(result["dto"], rel=1e-12)
    passive = run_dto(export_model(tmp_path / "passive", random_weights(), spread * [1, 1, 0.01]))
    assert passive["active_latents"] == [0, 1]
    assert 0 < passive["dto_active"] <= np.sqrt(4)
    assert result["dto_note"] is None and "1 of 3 latents are passive" in passive["dto_note"]
    assert (next(iter(result)), next(iter(passive))) == ("dto", "dto_active")
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
        ({"solver": "simplex"}, "solver = 'simplex' is unknown"),
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
