# SPDX-License-Identifier: Apache-2.0
"""One small study from its command to its report, and dlib's own scripts, as typed, on a model of it."""

import contextlib
import functools
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
from processes import run_python

from vae_ortho_plugin.data.files.mnist_files import SHAPES
from vae_ortho_plugin.files import SUMS
from vae_ortho_plugin.files.gin_files import gin_config
from vae_ortho_plugin.files.locks import locked
from vae_ortho_plugin.study.plan import experiments, plans
from vae_ortho_plugin.study.plan.experiments import Experiment
from vae_ortho_plugin.study.plan.layout import METRIC_PATTERN, ResultsFolder
from vae_ortho_plugin.study.run import command, missing_runs, reproduce
from vae_ortho_plugin.study.run.aggregation import aggregate

STEPS = 40_000 // 64  # an epoch
LINEAR = Experiment(experiments.SYNTH_LINEAR_64, "beta_vae")
MNIST = Experiment(experiments.MNIST_SHORT, "vae")
RUNS = "runs/synth_linear-1-epochs/beta_vae"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Calls the study; its results folder has two runs of an epoch and one that failed, as its data are damaged.

    The attributes `first` and `report` are the result of the call that made them, and its report.
    """
    data, output = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("study {0}")
    (data / "mnist").mkdir()
    for name in SHAPES:
        (data / "mnist" / name).write_bytes(b"no idx file")

    def call(*options):
        printed, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISENTANGLEMENT_LIB_DATA", str(data))
            patch.setitem(plans.STUDIES, "small", {LINEAR: 2, MNIST: 1})
            # The run that fails ends its worker: last, it needs no other one.
            patch.setattr(missing_runs, "in_order", list)
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
                words = ["--study", "small", "--epochs", "1", "--jobs", "1"]
                status = command.main([*words, "--output", str(output), *options])
        return status, printed.getvalue(), errors.getvalue()

    call.output = output
    call.first = call()
    call.report = (output / "report.md").read_text()
    return call


@pytest.fixture(scope="module")
def make():
    """Makes a run; dlib_reproduce defines its flags once in a process."""
    return functools.partial(reproduce.train_and_evaluate, reproduce.load_reproduce())


def read(study, path):
    return json.loads((study.output / RUNS / path).read_text())


def test_a_study_makes_its_runs_the_table_and_the_aggregated_results(study):
    assert sorted(os.listdir(study.output / RUNS)) == ["0", "1"]
    metric = "metrics/mean/dto/results/json/evaluation_results.json"
    dto = [read(study, f"{seed}/{metric}")["dto"] for seed in range(2)]
    assert dto[0] != dto[1]
    row = "| Synth. Lin., batch 64 (1 of 600 epochs) | β-VAE | 2 |"
    numbers = f"{np.mean(dto):.2f} ± {np.std(dto, ddof=1):.2f}"
    assert f"{row} {numbers}" in study.report
    table = json.loads((study.output / "results.json").read_text())
    assert set(table["train_config.model.model_num"].values()) == {"0", "1"}
    assert set(table["train_config.vae.beta"].values()) == {"0.0001"}
    names = {"delta_kl.png", "dto_training.png", "latent_space_synth_linear-1-epochs.png"}
    assert names <= {path.name for path in (study.output / "pictures").iterdir()}


def test_a_study_says_how_long_it_takes_and_names_its_report_once(study):
    _, printed, _ = study.first
    lines = printed.splitlines()
    assert re.match(r"1 at a time: about \d+ s on the machine of docs/perf", lines[1])
    assert any("first estimate, 1 at a time; 1 of 3 runs done" in one for one in lines)
    assert printed.count(str(study.output / "report.html")) == 1


def test_a_run_records_how_long_it_trained_and_what_was_measured_meanwhile(study):
    training = read(study, "0/model/results/json/train_results.json")
    assert training["global_step"] == STEPS
    assert training["polarized_regime"]["steps"] == [500, STEPS]
    assert training["dto_while_training"]["steps"] == [0, STEPS]
    facts = read(study, "1/run.json")
    assert (facts["model_num"], facts["epochs"], facts["data"]["name"]) == (1, 1, "synth_linear")
    steps, losses = facts["curves"]["loss"]
    assert steps[-1] > 0.8 * STEPS
    assert losses[-1] < 0.5 * losses[0]


def test_every_model_gets_its_pictures(study):
    pictures = study.output / RUNS / "0/visualizations"
    names = {path.name for path in pictures.iterdir()}
    drawn = {f"{name}.png" for name in ("latent_grid", "reconstructions", "traversals")}
    assert names == {*drawn, "latent_grid.npz", SUMS}
    with np.load(pictures / "latent_grid.npz") as file:
        assert file["latents"].shape == (51, 51, 2)


def test_a_failed_run_is_listed_with_its_log_and_leaves_no_finished_directory(study):
    status, _, errors = study.first
    assert status == 1
    assert "failed: mnist_short-1-epochs/vae/0: InputError:" in errors
    log = study.output / "logs/mnist_short-1-epochs-vae-0.log"
    assert str(log) in errors
    assert "train-images-idx3-ubyte" in log.read_text()
    left = {path.name for path in (study.output / "runs/mnist_short-1-epochs/vae").iterdir()}
    assert left == {".0.partial"}
    assert "0 of 1 | missing" in study.report


def test_a_second_call_makes_nothing_again_and_reports_what_was_selected(study):
    made = [study.output / "results.json", *study.output.glob("runs/*/*/*/run.json")]
    stamps = [path.stat().st_mtime_ns for path in made]
    status, printed, _ = study("--models", "beta_vae")
    assert status == 0
    assert "2 runs, 2 of them finished before" in printed
    assert printed.splitlines()[-1] == f"Report: {study.output / 'report.html'}"
    assert stamps == [path.stat().st_mtime_ns for path in made]
    assert "| MNIST" not in (study.output / "report.md").read_text()


def test_two_studies_cannot_share_an_output_directory(study):
    with locked(ResultsFolder(study.output).lock, "the folder"):
        status, _, errors = study()
    assert status == 2
    assert "Another process is at work in the results folder" in errors


def test_a_run_that_was_killed_before_its_last_rename_is_published_and_others_are_no_results(
    study, make, tmp_path
):
    # Late, because it starts TensorFlow.
    from vae_ortho_plugin.study.plan.dlib_study import VaePcaV1

    output = tmp_path / "output {0}"
    shutil.copytree(study.output, output)
    partial = (output / RUNS / "0").rename(output / RUNS / ".0.partial")
    shutil.copytree(output / RUNS / "1", output / RUNS / ".7.partial")
    configuration = VaePcaV1(epochs=1).configuration(0)
    (partial / "plan.json").write_text(json.dumps({**configuration, "seconds": 1000.0}))
    made = {path: path.stat().st_mtime_ns for path in partial.rglob("tfhub/*")}
    directory = output / RUNS / "0"
    make(0, 1, directory)
    assert json.loads((directory / "run.json").read_text())["seconds"] >= 1000
    for path, time_stamp in made.items():
        assert (directory / path.relative_to(partial)).stat().st_mtime_ns == time_stamp
    assert not (directory / "plan.json").exists()
    aggregate(ResultsFolder(output))
    of_two_runs = len(list(study.output.glob(f"{RUNS}/[01]/{METRIC_PATTERN}")))
    assert len(json.loads((output / "results.json").read_text())["path"]) == of_two_runs


@pytest.mark.long
@pytest.mark.parametrize("alike", [True, False])
def test_a_run_continues_a_shorter_one_that_differs_in_nothing_else(
    study, make, tmp_path, alike, capsys
):
    shutil.copytree(study.output / RUNS / "0", tmp_path / RUNS / "0")
    if not alike:  # as after a change of a gin file
        config = tmp_path / RUNS / "0/model/tf_checkpoint/config.gin"
        config.write_text(config.read_text().replace("vae.beta = ", "vae.beta = 1"))
        (tmp_path / RUNS / "0/model" / SUMS).unlink()
    directory = tmp_path / "runs/synth_linear-2-epochs/beta_vae/0"
    make(0, 2, directory)
    facts = json.loads((directory / "run.json").read_text())
    assert facts["continued"] == (f"{RUNS.removeprefix('runs/')}/0" if alike else None)
    said = f"further, from step {STEPS} on" if alike else "is not trained further: training_loop"
    assert said in capsys.readouterr().err
    training = json.loads((directory / "model/results/json/train_results.json").read_text())
    assert training["global_step"] == 2 * STEPS
    assert training["polarized_regime"]["steps"] == [500, 1000, 2 * STEPS]


def call(script, *arguments):
    done = run_python(reproduce.dlib_script(script), *arguments, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "postprocessed", [True, pytest.param(False, marks=pytest.mark.long)], ids=["evaluate", "both"]
)
def test_dlibs_scripts_as_typed_postprocess_and_evaluate_a_model_of_the_study(
    study, tmp_path, postprocessed
):
    run = study.output / RUNS / "0"
    representation = (run if postprocessed else tmp_path) / "postprocessed/mean"
    if not postprocessed:
        shutil.copytree(run / "model", tmp_path / "model")
        call(
            "dlib_postprocess",
            f"--gin_config={gin_config('postprocess/mean.gin')}",
            f"--model_dir={tmp_path / 'model'}",
            f"--output_dir={representation}",
        )
    call(
        "dlib_evaluate",
        f"--gin_evaluation_config_glob={gin_config('metrics/dto.gin').parent}/d*.gin",
        f"--input_dir={representation}",
        f"--output_dir={tmp_path / 'metrics'}",
    )
    for name in ("dto", "disentanglement_score"):
        path = f"{name}/results/json/evaluation_results.json"
        expected = read(study, f"0/metrics/mean/{path}")[name]
        found = json.loads((tmp_path / "metrics" / path).read_text())[name]
        assert found == pytest.approx(expected, abs=0.05)
