# SPDX-License-Identifier: Apache-2.0
"""What the import hook changes, and what happens around dlib's steps."""

import json
import os
import shutil
import struct
import sys

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess
from disentanglement_lib.utils import results
from disentanglement_lib.visualize import visualize_model
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin.data.files import mnist_files
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.errors import InputError, NonFiniteLossError
from vae_ortho_plugin.files.gin_files import gin_config
from vae_ortho_plugin.files.locks import locked

BETA_VAE = str(gin_config("beta_vae.gin"))


QUICK = [
    "model.training_steps = 5",
    "model.eval_steps = 2",
    "training_loop.xla = 'off'",
    "synth_linear.num_points = 200",
]


def train_into(directory, *bindings, overwrite=False):
    train.train_with_gin(str(directory), overwrite, [BETA_VAE], [*QUICK, *bindings])
    return directory


def read(directory, name):
    result = json.loads((directory / "results/json" / f"{name}_results.json").read_text())
    return result.get("evaluation_results", result)


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of synth_linear with an axis ratio and a number of points of its own."""
    gin.clear_config()
    return train_into(tmp_path_factory.mktemp("run") / "model", "synth_linear.axis_ratio = 5.0")


def test_the_papers_data_sets_are_known_to_dlib_by_name():
    data = named_data.get_named_ground_truth_data("synth_linear")
    assert data.factor_names == ["w1", "w2"]
    assert named_data.get_named_ground_truth_data("dummy_data").observation_shape == [64, 64, 1]


def test_missing_files_of_dlibs_own_data_set_are_named_with_where_they_belong():
    with pytest.raises(InputError, match="'cars3d' could not be read.*DISENTANGLEMENT_LIB_DATA"):
        named_data.get_named_ground_truth_data("cars3d")


@pytest.fixture(scope="module")
def post(model):
    """Its mean representation."""
    directory = model.parent / "post"
    postprocess.postprocess_with_gin(
        str(model), str(directory), gin_config_files=["postprocess/mean.gin"]
    )
    return directory


def test_the_parameters_of_the_data_set_reach_postprocessing_and_evaluation(post, tmp_path):
    evaluate.evaluate_with_gin(
        str(post), str(tmp_path / "dto"), gin_config_files=[str(gin_config("metrics/dto.gin"))]
    )
    for directory, step in ((post, "postprocess"), (tmp_path / "dto", "evaluation")):
        config = results.gin_dict(str(directory / f"results/gin/{step}.gin"))
        assert config["dataset.name"] == "'synth_linear'"
        assert config["synth_linear.axis_ratio"] == "5.0"
    # The test split of 200 points; of the default 50,000 it is 5,000.
    assert read(tmp_path / "dto", "evaluation")["num_points"] == 20


def test_a_data_set_named_by_a_macro_reaches_evaluation_and_pictures(tmp_path):
    own = ["dataset.name = %data", "data = 'synth_linear'", "synth_linear.axis_ratio = %ratio"]
    model = train_into(tmp_path / "model", *own, "ratio = 5.0")
    assert "dataset.name = %data" in (model / "results/gin/train.gin").read_text()
    evaluate.evaluate_with_gin(
        str(model), str(tmp_path / "dto"), gin_config_files=["metrics/dto.gin"]
    )
    config = results.gin_dict(str(tmp_path / "dto/results/gin/evaluation.gin"))
    assert config["dataset.name"] == "'synth_linear'"
    assert config["synth_linear.axis_ratio"] == "5.0"
    visualize_model.visualize(str(model), str(tmp_path / "pictures"))
    assert (tmp_path / "pictures/latent_grid.png").is_file()


def test_a_data_set_that_no_step_named_is_asked_for(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "results/gin/train.gin").write_text("dataset.name = %data\n")
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="dataset.name = %data, which is not the name"):
        evaluate.evaluate_with_gin(
            str(copy), str(tmp_path / "dto"), gin_config_files=["metrics/dto.gin"]
        )


METRIC = """
import gin
from vae_ortho_plugin.decoder.metrics.evaluated import model_dir_of

@gin.configurable("my_metric")
def my_metric(ground_truth_data, representation_function, random_state, artifact_dir=None):
    return {"model": model_dir_of("my_metric", None)}
"""


def test_a_metric_in_a_users_own_file_is_one_that_gin_imports(model, tmp_path, monkeypatch):
    (tmp_path / "my_metric.py").write_text(METRIC)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "my_metric.gin").write_text(
        "import my_metric\nevaluation.evaluation_fn = @my_metric\nevaluation.random_seed = 0\n"
        "dataset.name = 'auto'\n"
    )
    evaluate.evaluate_with_gin(
        str(model), str(tmp_path / "result"), gin_config_files=[str(tmp_path / "my_metric.gin")]
    )
    assert read(tmp_path / "result", "evaluation")["model"] == str(model)


def test_a_trained_model_is_evaluated_as_its_mean_representation(model, post, tmp_path):
    scores = []
    for source in (model, post):
        evaluate.evaluate_with_gin(
            str(source),
            str(tmp_path / source.name),
            gin_config_files=["metrics/disentanglement_score.gin"],
            gin_bindings=["synth_linear.num_points = 300"],
        )
        config = results.gin_dict(str(tmp_path / source.name / "results/gin/evaluation.gin"))
        # What is bound for the evaluation wins over the model's.
        assert config["synth_linear.num_points"] == "300"
        assert config["synth_linear.axis_ratio"] == "5.0"
        scores.append(read(tmp_path / source.name, "evaluation")["score_matrix"])
    # The means come from two graphs: where their last bits differ, a neighbour may change.
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4)
    assert np.ptp(scores[0]) > 0


def test_the_default_model_directory_is_named_after_the_gin_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [BETA_VAE, str(gin_config("datasets/synth_nonlinear.gin"))]
    bindings = [*QUICK, "synth_nonlinear.num_points = 200"]
    train.train_with_gin(None, gin_config_files=files, gin_bindings=bindings)
    (directory,) = (tmp_path / "output").glob("*")
    assert directory.name.startswith("beta_vae-synth_nonlinear-")
    assert read(directory, "train")["global_step"] == 5
    assert f"output/{directory.name}" in capsys.readouterr().err


def test_an_existing_directory_is_left_untouched(model):
    before = contents(model)
    with pytest.raises(InputError, match=f"{model} exists and was left untouched.*--overwrite"):
        train_into(model)
    with pytest.raises(InputError, match="left untouched"):
        evaluate.evaluate_with_gin(
            str(model), str(model), gin_config_files=[str(gin_config("metrics/dto.gin"))]
        )
    with pytest.raises(InputError, match="left untouched"):
        visualize_model.visualize(str(model), str(model))
    assert contents(model) == before


def test_a_directory_that_another_process_writes_is_left_to_it(tmp_path):
    (tmp_path / "model.unfinished").mkdir()
    (tmp_path / "model.unfinished/checkpoint").write_text("its work")
    message = f"at work in .*model: process {os.getpid()}"
    with locked(tmp_path / ".model.lock", "model"), pytest.raises(InputError, match=message):
        train_into(tmp_path / "model")
    assert (tmp_path / "model.unfinished/checkpoint").read_text() == "its work"
    train_into(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_step_leaves_no_directories_that_it_made(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(InputError):
        train_into(tmp_path / "kept/a/b/model", "dataset.name = 'mnits'")
    assert list(tmp_path.rglob("*")) == [tmp_path / "kept"]


@pytest.mark.parametrize(
    "binding, error",
    [
        ("AdamOptimizer.learning_rate = 1e30", NonFiniteLossError),
        ("mlp_encoder.activation = 'selu'\nmlp_encoder.layers = [3]", InputError),
    ],
)
def test_overwrite_replaces_a_directory_unless_the_step_fails(tmp_path, binding, error):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/old").write_text("old")
    with pytest.raises(error):
        train_into(tmp_path / "model", *binding.splitlines(), overwrite=True)
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
    edges = latents[-1, 0] - latents[0, 0], latents[0, -1] - latents[0, 0]
    assert latents.shape == (51, 51, 2) and all(np.abs(edge).max() > 1e-3 for edge in edges)


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch):
    """A data root whose mnist/ holds 60 + 10 random images."""
    shapes = {"train-images-idx3-ubyte": (60, 28, 28), "t10k-images-idx3-ubyte": (10, 28, 28)}
    shapes |= {"train-labels-idx1-ubyte": (60,), "t10k-labels-idx1-ubyte": (10,)}
    monkeypatch.setattr(mnist_files, "SHAPES", shapes)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    (tmp_path / "data/mnist").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        values = rng.integers(10 if len(shape) == 1 else 256, size=shape, dtype=np.uint8)
        (tmp_path / "data/mnist" / name).write_bytes(header + values.tobytes())


def test_images_without_factors_are_trained_on_and_visualized(tiny_mnist, tmp_path):
    files = [BETA_VAE, str(gin_config("datasets/mnist.gin"))]
    bindings = [*QUICK, "mlp_encoder.layers = [5]", "mlp_decoder.layers = [5]"]
    train.train_with_gin(str(tmp_path / "model"), False, files, bindings)
    assert read(tmp_path / "model", "train")["global_step"] == 5
    visualize_model.visualize(
        str(tmp_path / "model"), str(tmp_path / "pictures"), num_animations=1, num_frames=3
    )
    assert list((tmp_path / "pictures").rglob("*.gif"))
    assert list((tmp_path / "pictures").rglob("*reconstructions*"))


def test_an_unknown_study_is_answered_with_the_known_ones():
    from disentanglement_lib.config import reproduce

    with pytest.raises(
        InputError, match="no study named 'vae_pca'.*unsupervised_study_v1.*vae_pca"
    ):
        reproduce.STUDIES["vae_pca"]


def test_data_without_factors_are_refused_by_the_picture_of_factors(tmp_path, monkeypatch):
    from disentanglement_lib.visualize import visualize_dataset

    class NoFactors:
        num_factors = 0

    monkeypatch.setattr(named_data, "get_named_ground_truth_data", lambda name: NoFactors())
    with pytest.raises(InputError, match="no generating factors"):
        visualize_dataset.visualize_dataset("mnist", str(tmp_path / "pictures"))
    assert not (tmp_path / "pictures").exists()
