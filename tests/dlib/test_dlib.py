# SPDX-License-Identifier: Apache-2.0
"""What the import hook changes, and what happens around dlib's steps."""

import json
import re
import shutil

import gin
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess
from disentanglement_lib.utils import results
from disentanglement_lib.visualize import visualize_dataset, visualize_model
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.dlib import keras_layers
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config

BETA_VAE = str(gin_config("beta_vae.gin"))
QUICK = ["model.training_steps = 5", "model.eval_steps = 2"]
QUICK += ["training_loop.xla = 'off'", "synth_linear.num_points = 200"]


def train_into(directory, *bindings, overwrite=False):
    train.train_with_gin(str(directory), overwrite, [BETA_VAE], [*QUICK, *bindings])
    return directory


def evaluate_into(directory, source, file, *bindings):
    evaluate.evaluate_with_gin(str(source), str(directory), False, [str(file)], list(bindings))


def read(directory, name):
    result = json.loads((directory / "results/json" / f"{name}_results.json").read_text())
    return result.get("evaluation_results", result)


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of synth_linear, named by a macro, with an axis ratio and a number of points of its own."""
    gin.clear_config()
    own = ["dataset.name = %data", "data = 'synth_linear'", "synth_linear.axis_ratio = %ratio"]
    return train_into(tmp_path_factory.mktemp("run") / "model", *own, "ratio = 5.0")


@pytest.fixture(scope="module")
def post(model):
    """Its mean representation, of one gin file and bindings in one text."""
    directory = model.parent / "post"
    bindings = "which = 'auto'\ndataset.name = %which"
    postprocess.postprocess_with_gin(
        str(model), str(directory), False, "postprocess/mean.gin", bindings
    )
    return directory


def test_the_papers_data_sets_are_known_to_dlib_by_name():
    data = named_data.get_named_ground_truth_data("synth_linear")
    assert data.factor_names == ["w1", "w2"]
    assert named_data.get_named_ground_truth_data("dummy_data").observation_shape == [64, 64, 1]


def test_the_data_set_and_its_parameters_reach_later_steps_where_macros_bind_them(
    model, post, tmp_path
):
    assert "dataset.name = %data" in (model / "results/gin/train.gin").read_text()
    evaluate_into(tmp_path / "dto", post, "metrics/dto.gin")
    for directory, step in ((post, "postprocess"), (tmp_path / "dto", "evaluation")):
        config = results.gin_dict(str(directory / f"results/gin/{step}.gin"))
        assert config["dataset.name"] == "'synth_linear'"
        assert config["synth_linear.axis_ratio"] == "5.0"
    # The test split of 200 points; of the default 50,000 it is 5,000.
    assert read(tmp_path / "dto", "evaluation")["num_points"] == 20


def test_a_data_set_that_no_step_named_is_asked_for(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "results/gin/train.gin").write_text("dataset.name = %data\n")
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="dataset.name = %data, which is not the name"):
        evaluate_into(tmp_path / "dto", copy, "metrics/dto.gin")
    (copy / "results/gin/train.gin").unlink()
    with pytest.raises(
        InputError, match=f"train.gin is missing, which names the data set of {copy}"
    ):
        visualize_model.visualize(str(copy), str(tmp_path / "pictures"))


def test_a_trained_model_is_evaluated_as_its_mean_representation(model, post, tmp_path):
    scores = []
    for source in (model, post):
        metric, points = "metrics/disentanglement_score.gin", "synth_linear.num_points = 300"
        evaluate_into(tmp_path / source.name, source, metric, points)
        config = results.gin_dict(str(tmp_path / source.name / "results/gin/evaluation.gin"))
        # What is bound for the evaluation wins over the model's.
        assert config["synth_linear.num_points"] == "300"
        assert config["synth_linear.axis_ratio"] == "5.0"
        scores.append(read(tmp_path / source.name, "evaluation")["score_matrix"])
    # The means come from two graphs: where their last bits differ, a neighbour may change.
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4)
    assert np.ptp(scores[0]) > 0


def test_a_training_run_says_what_it_trains_and_where_which_is_named_after_the_gin_files(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    files = [BETA_VAE, str(gin_config("datasets/synth_nonlinear.gin"))]
    bindings = [*QUICK, "synth_nonlinear.num_points = 200"]
    train.train_with_gin(None, gin_config_files=files, gin_bindings=bindings)
    (directory,) = (tmp_path / "output").glob("*")
    assert directory.name.startswith("beta_vae-synth_nonlinear-")
    assert read(directory, "train")["global_step"] == 5
    expected = [
        rf"the model goes to output/{directory.name} \(no --model_dir given\)",
        "training vae on synth_nonlinear for 5 steps of 16 points, seed 0",
        "training on (all cores|one thread|\\d+ threads) without XLA",
        "trained 5 steps in .*",
        f"the model is in output/{directory.name}",
    ]
    for line, pattern in zip(capsys.readouterr().err.splitlines(), expected, strict=True):
        assert re.fullmatch(f"vae_ortho_plugin: {pattern}", line)


def test_an_existing_directory_is_left_untouched(model):
    before = contents(model)
    with pytest.raises(InputError, match=f"{model} exists and was left untouched.*--overwrite"):
        train_into(model)
    with pytest.raises(InputError, match="left untouched"):
        evaluate_into(model, model, "metrics/dto.gin")
    with pytest.raises(InputError, match="left untouched"):
        visualize_model.visualize(str(model), str(model))
    assert contents(model) == before


@pytest.mark.parametrize(
    ("step", "directories", "message"),
    [
        (evaluate.evaluate_with_gin, (None, "new"), "No directory of what .*--input_dir=DIRECTORY"),
        (postprocess.postprocess_with_gin, ("model", None), "No output directory. .*--output_dir"),
        (train.train_with_gin, ("file",), "file is a file. Name another one"),
    ],
)
def test_a_directory_that_is_not_named_or_a_file_is_asked_for(
    model, tmp_path, monkeypatch, step, directories, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "model").symlink_to(model)
    with pytest.raises(InputError, match=message):
        step(*directories)


def test_overwrite_replaces_a_directory_unless_the_step_fails(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/old").write_text("old")
    with pytest.raises(InputError):
        wrong = ("mlp_encoder.activation = 'selu'", "mlp_encoder.layers = [3]")
        train_into(tmp_path / "model", *wrong, overwrite=True)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir() if "replaced" in path.name] == []
    train_into(tmp_path / "model", overwrite=True)
    assert read(tmp_path / "model", "train")["global_step"] == 5
    assert not (tmp_path / "model/old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_vector_data_are_visualized(model, tmp_path):
    visualize_model.visualize(str(model), str(tmp_path / "pictures"))
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"reconstructions.png", "traversals.png", "latent_grid.png"} <= names
    latents = np.load(tmp_path / "pictures/latent_grid.npz")["latents"]
    # Of the square stretched by the model's own axis ratio, not by the default one.
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    data = SynthLinear(num_points=200, axis_ratio=5.0)
    with open_model(str(model)) as trained:
        expected = trained.encode(data.sample_observations_from_factors(corners, None))
    assert latents.shape == (51, 51, 2)
    np.testing.assert_allclose(latents[::50, ::50].reshape(4, 2), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3


def test_an_encoder_that_makes_other_variables_in_a_later_call_is_refused():
    with (
        tf.Graph().as_default(),
        pytest.raises(InputError, match=r"the shape \[3\] where .* \[2\]"),
    ):
        for size in (2, 3):
            with keras_layers.application("encoder"):
                tf.Variable(tf.zeros([size]), shape=[size])


def test_data_without_factors_are_refused_by_the_picture_of_factors(tmp_path, monkeypatch):
    class NoFactors:
        num_factors = 0

    monkeypatch.setattr(named_data, "get_named_ground_truth_data", lambda name: NoFactors())
    with pytest.raises(InputError, match="no generating factors"):
        visualize_dataset.visualize_dataset("mnist", str(tmp_path / "pictures"))
    assert not (tmp_path / "pictures").exists()
