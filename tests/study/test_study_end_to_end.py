# SPDX-License-Identifier: Apache-2.0
"""dlib's own scripts, as typed, from gin file to report; and the study that calls them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vae_ortho_plugin.data.files.mnist_files import SHAPES
from vae_ortho_plugin.files import SUMS
from vae_ortho_plugin.gin_files import gin_config
from vae_ortho_plugin.locks import locked
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run import command, reproduce
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script
from vae_ortho_plugin.study.run.run_facts import curves

STEPS = 2000


def call(script, *arguments):
    """Starts one of dlib's scripts; returns what it prints."""
    process = subprocess.run(
        [sys.executable, dlib_script(script), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a model, its representation and both metrics of it."""
    root = tmp_path_factory.mktemp("dlib")
    call(
        "dlib_train",
        f"--gin_config={gin_config('beta_vae.gin')}",
        f"--gin_config={gin_config('datasets/synth_nonlinear.gin')}",
        f"--gin_bindings=model.training_steps = {STEPS}",
        f"--model_dir={root / 'model'}",
    )
    call(
        "dlib_postprocess",
        f"--gin_config={gin_config('postprocess/mean.gin')}",
        f"--model_dir={root / 'model'}",
        f"--output_dir={root / 'postprocessed/mean'}",
    )
    call(
        "dlib_evaluate",
        f"--gin_evaluation_config_glob={gin_config('metrics/dto.gin').parent}/*.gin",
        f"--input_dir={root / 'postprocessed/mean'}",
        f"--output_dir={root / 'metrics/mean'}",
    )
    call(
        "dlib_aggregate_results",
        f"--result_file_pattern={root}/metrics/*/*/results/aggregate/evaluation.json",
        f"--output_path={root / 'results.json'}",
    )
    return root


def test_training_lowers_the_loss(trained):
    steps, losses = curves(trained / "model/tf_checkpoint")["loss"]
    assert steps[-1] > STEPS * 0.9
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


def test_the_aggregated_results_have_both_metrics_and_the_configuration(trained):
    table = json.loads((trained / "results.json").read_text())
    (dto,) = (v for v in table["evaluation_results.dto"].values() if v is not None)
    (score,) = (
        v for v in table["evaluation_results.disentanglement_score"].values() if v is not None
    )
    assert 0 <= dto < 2
    assert 0 <= score <= 1
    assert set(table["train_config.dataset.name"].values()) == {"'synth_nonlinear'"}
    assert set(table["train_config.vae.beta"].values()) == {"0.001"}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Output directory of a study of untrained models on one data set."""
    output = tmp_path_factory.mktemp("study {0}")
    arguments = ["--models", "random_decoder", "--data-sets", "synth_linear", "--seeds", "0-1"]
    arguments += ["--jobs", "1", "--output", str(output)]
    assert command.main(arguments) == 0
    return output, arguments


def test_a_study_makes_its_runs_the_table_and_the_aggregated_results(studied):
    output, _ = studied
    folder = output / "runs/synth_linear/random_decoder"
    assert sorted(os.listdir(folder)) == ["0", "1"]
    dto = [
        json.loads(
            (folder / f"{seed}/metrics/mean/dto/results/json/evaluation_results.json").read_text()
        )["dto"]
        for seed in range(2)
    ]
    assert dto[0] != dto[1]
    line = f"| Synth. Lin., batch 64 | random decoder | 2 of 5 | {np.mean(dto):.2f} ± {np.std(dto, ddof=1):.2f}"
    assert line in (output / "report.md").read_text()
    table = json.loads((output / "results.json").read_text())
    assert set(table["train_config.model.model_num"].values()) == {"300", "301"}
    assert (output / "pictures/latent_space_synth_linear.png").is_file()


@pytest.fixture(scope="module")
def shortened(tmp_path_factory):
    """Output directory of a study with one run of one epoch."""
    output = tmp_path_factory.mktemp("shortened")
    arguments = ["--models", "beta_vae", "--data-sets", "synth_nonlinear", "--seeds", "3"]
    assert command.main([*arguments, "--epochs", "1", "--jobs", "1", "--output", str(output)]) == 0
    return output


@pytest.mark.long
def test_a_shortened_run_trains_so_many_epochs_and_is_reported_as_such(shortened):
    directory = shortened / "runs/synth_nonlinear-1-epochs/beta_vae/3"
    training = json.loads((directory / "model/results/json/train_results.json").read_text())
    assert training["global_step"] == 40_000 / 64
    report = (shortened / "report.md").read_text()
    assert "| Synth. Non-Lin., batch 64 (1 of 600 epochs) | β-VAE | 1 of 5 |" in report
    assert "| AE |" not in report  # which was not selected


@pytest.mark.long
def test_a_run_records_what_was_measured_while_it_trained_and_the_weights_of_its_data(shortened):
    directory = shortened / "runs/synth_nonlinear-1-epochs/beta_vae/3"
    training = json.loads((directory / "model/results/json/train_results.json").read_text())
    assert training["polarized_regime"]["steps"] == [500, 625]
    assert training["dto_while_training"]["steps"] == [0, 625]
    facts = json.loads((directory / "run.json").read_text())
    assert (facts["model_num"], facts["epochs"]) == (403, 1)
    assert np.shape(facts["data"]["weights"][0]["kernel"]) == (2, 10)
    pictures = {path.name for path in (shortened / "pictures").iterdir()}
    assert {"delta_kl.png", "dto_training.png"} <= pictures


def test_every_model_gets_its_pictures(studied):
    output, _ = studied
    pictures = output / "runs/synth_linear/random_decoder/0/visualizations"
    names = {path.name for path in pictures.iterdir()}
    assert names == {
        *("latent_grid.npz", "latent_grid.png", "reconstructions.png", "traversals.png"),
        SUMS,
    }
    with np.load(pictures / "latent_grid.npz") as file:
        assert file["latents"].shape == (51, 51, 2)


def test_a_second_call_makes_nothing_again(studied, capsys):
    output, arguments = studied
    made = {path: path.stat().st_mtime_ns for path in output.glob("runs/*/*/*/run.json")}
    results = (output / "results.json").stat().st_mtime_ns
    assert command.main(arguments) == 0
    assert "2 runs, 2 of them finished before" in capsys.readouterr().out
    assert made == {path: path.stat().st_mtime_ns for path in made}
    assert results == (output / "results.json").stat().st_mtime_ns


def test_a_run_that_was_killed_before_its_last_rename_is_published_and_others_are_no_results(
    studied, tmp_path
):
    _, arguments = studied
    output = tmp_path / "output"
    shutil.copytree(studied[0], output)
    folder = output / "runs/synth_linear/random_decoder"
    partial = (folder / "0").rename(folder / ".0.partial")
    shutil.copytree(folder / "1", folder / ".7.partial")
    plan = reproduce._plan("vae_pca_v1", 300)
    (partial / "plan.json").write_text(json.dumps({**plan, "seconds": 1000.0}))
    made = {path: path.stat().st_mtime_ns for path in partial.rglob("tfhub/*")}
    assert command.main([*arguments[:-1], str(output)]) == 0
    assert json.loads((folder / "0/run.json").read_text())["seconds"] >= 1000
    for path, time_stamp in made.items():
        assert (folder / "0" / path.relative_to(partial)).stat().st_mtime_ns == time_stamp
    assert not (folder / "0/plan.json").exists()
    table = json.loads((output / "results.json").read_text())
    assert len(table["path"]) == 4  # two runs with two metrics


def test_two_studies_cannot_share_an_output_directory(studied, capsys):
    output, arguments = studied
    with locked(ResultsFolder(output).lock, "the folder"):
        assert command.main(arguments) == 2
    assert "Another process is at work in the results folder" in capsys.readouterr().err


def test_a_failed_run_is_listed_with_its_log_and_leaves_no_finished_directory(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "data/mnist").mkdir(parents=True)
    for name in SHAPES:
        (tmp_path / "data/mnist" / name).write_bytes(b"no idx file")
    monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "data"))
    output = tmp_path / "output"
    arguments = ["--data-sets", "mnist_short", "--models", "vae", "--output", str(output)]
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert "failed: mnist_short/vae/0: InputError:" in error
    log = output / "logs/mnist_short-vae-0.log"
    assert str(log) in error
    assert "train-images-idx3-ubyte" in log.read_text()
    assert [path.name for path in Path(output, "runs/mnist_short/vae").iterdir()] == [".0.partial"]
    assert "0 of 1 | missing" in (output / "report.md").read_text()
