# SPDX-License-Identifier: Apache-2.0
"""evaluate and vae_ortho_evaluate on trained models: the values of dlib_evaluate."""

import csv
import json

import gin
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.evaluation import evaluate as dlib_evaluation
from disentanglement_lib.methods.unsupervised import train

from vae_ortho_plugin import InputError, evaluate
from vae_ortho_plugin.arrays import command
from vae_ortho_plugin.files.gin_files import gin_config

QUICK = ["model.training_steps = 5", "model.eval_steps = 2", "training_loop.xla = 'off'"]
QUICK += ["synth_linear.num_points = 200"]
# The settings of dlib's study.
MIG = [
    "evaluation.evaluation_fn = @mig",
    "evaluation.random_seed = 0",
    "dataset.name = 'auto'",
    "mig.num_train = 10000",
    "discretizer.discretizer_fn = @histogram_discretizer",
    "discretizer.num_bins = 20",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models of synth_linear, of two seeds."""
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        bindings = [*QUICK, f"model.random_seed = {seed}"]
        train.train_with_gin(
            str(folder / str(seed)), False, [str(gin_config("beta_vae.gin"))], bindings
        )
    return [str(folder / "0"), str(folder / "1")]


def of_dlib_evaluate(model, output, files, bindings):
    dlib_evaluation.evaluate_with_gin(model, str(output), False, files, bindings)
    found = json.loads((output / "results" / "json" / "evaluation_results.json").read_text())
    return {name: value for name, value in found.items() if name not in ("elapsed_time", "uuid")}


def test_the_values_are_those_of_dlib_evaluate(models, tmp_path):
    with gin.unlock_config():
        gin.parse_config("model.batch_size = 7")  # what the caller has bound stays
    result = evaluate(models[0], metrics=["dto", "mig"])
    assert gin.query_parameter("model.batch_size") == 7
    gin.clear_config()
    assert list(result.metrics) == ["dto", "mig"]
    file = str(gin_config("metrics/dto.gin"))
    assert result["dto"] == of_dlib_evaluate(models[0], tmp_path / "dto", [file], [])
    assert result["dto"]["split"] == "test"
    assert result["mig"] == of_dlib_evaluate(models[0], tmp_path / "mig", [], MIG)
    assert result.about["settings"]["dataset.name"] == "synth_linear"


def test_the_command_has_a_column_for_each_model_and_a_failing_metric_costs_no_other(
    models, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    words = ["--metrics", "dto", "mcc", "--gin-bindings", "mcc.num_points = 9999"]
    words += ["dto.split = 'train'", "--output", str(tmp_path / "found.csv")]
    assert command.main(["--model", *models, *words]) == 1
    shown = capsys.readouterr()
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["metric", "name", *models]
    rows = list(csv.DictReader((tmp_path / "found.csv").open()))
    found = [row for row in rows if row["name"] == "dto"]
    assert [row["model"] for row in found] == models
    values = [float(row["value"]) for row in found]
    expected = evaluate(models[1], metrics="dto", gin_bindings="dto.split = 'train'")
    assert values[1] == expected["dto"]["dto"] != values[0]
    assert ["dto", "dto", *(f"{value:.6g}" for value in values)] in lines
    assert f"mcc ({models[1]}) failed: num_points = 9999, but the test split has" in shown.out
    assert f"{models[0]}: mcc: num_points" in shown.err and "Traceback" not in shown.err


def test_what_is_no_model_is_refused_before_anything_is_computed(models, tmp_path, capsys):
    assert command.main(["--model", models[0], str(tmp_path), "--metrics", "dto"]) == 1
    assert "there is no directory tfhub in it" in capsys.readouterr().err
    assert command.main(["--model", models[0], "--means", "z.npy", "--metrics", "dto"]) == 1
    assert "give one" in capsys.readouterr().err
    with pytest.raises(InputError, match="give only metrics"):
        evaluate(models[0], [[1]], metrics=["dto"])
    with pytest.raises(InputError, match="name metrics"):
        evaluate(models[0])
