# SPDX-License-Identifier: Apache-2.0
"""How a study is divided into jobs of a cluster, and what its launcher does besides starting Snakemake."""

import argparse
import collections
import json

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import command
from vae_ortho_plugin.study.run.cluster import chunk, launch, slurm
from vae_ortho_plugin.study.run.cluster.costs import COSTS, expected_seconds
from vae_ortho_plugin.study.run.cluster.engine import slurm_options
from vae_ortho_plugin.study.run.cluster.plan import CHUNK_SECONDS, plan_of, read_plan
from vae_ortho_plugin.study.run.cluster.watch import Watch
from vae_ortho_plugin.study.run.progress import Failure, Progress
from vae_ortho_plugin.study.run.schedule import in_order

FULL = in_order(select("full"))
QUICK = select("quick", None, ["synth_linear"], range(2))


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path)


def finish(folder, run, seconds=30.0):
    folder.run(run).directory.mkdir(parents=True)
    folder.run(run).facts.write_text(json.dumps({"seconds": seconds}))


def fail(folder, run, error="ValueError: the test's"):
    folder.run(run).partial.directory.mkdir(parents=True, exist_ok=True)
    folder.run(run).partial.error.write_text(error)


def test_every_run_is_in_one_chunk_and_a_chunk_has_one_data_set(tmp_path):
    chunks = plan_of(FULL, tmp_path, retries=1).chunks
    assert sorted(str(run) for runs in chunks.values() for run in runs) == sorted(map(str, FULL))
    for name, runs in chunks.items():
        assert {run.experiment.data.data_set for run in runs} == {name.rpartition("-")[0]}


def test_short_runs_share_a_job_of_about_a_quarter_of_an_hour_and_long_ones_have_their_own(
    tmp_path,
):
    for name, runs in plan_of(FULL, tmp_path, retries=1).chunks.items():
        seconds = [expected_seconds(run) for run in runs]
        trained = [run for run in runs if run.experiment.model != "random_decoder"]
        if name.startswith("synth"):
            assert sum(seconds) < CHUNK_SECONDS + max(seconds)
            assert len(runs) > 5
        else:
            assert len(trained) <= 1


def test_a_job_may_take_three_times_as_long_as_expected(tmp_path):
    plan = plan_of(FULL, tmp_path, retries=1)
    for name, runs in plan.chunks.items():
        minutes = plan.resources[name.rpartition("-")[0]].minutes
        assert 60 * minutes > 3 * sum(map(expected_seconds, runs)) + 600


def test_jobs_of_long_runs_start_first(tmp_path):
    resources = plan_of(FULL, tmp_path, retries=1).resources
    by_priority = sorted(resources, key=lambda name: -resources[name].priority)
    assert by_priority == ["dsprites", "fashion_mnist", "mnist", "synth_nonlinear", "synth_linear"]


def test_a_plan_is_read_as_it_was_written_shortened_runs_too(tmp_path):
    runs = [*QUICK, *select("dial", seeds=[3], epochs=2)]
    plan = plan_of(runs, tmp_path, retries=2)
    plan.write(tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_every_data_set_of_a_study_has_a_cost():
    assert {experiment.data.data_set for experiment in EXPERIMENTS} == set(COSTS)


@pytest.mark.parametrize(("study", "hours"), [("synthetic", 5.1), ("mnist", 50)])
def test_the_expected_times_are_those_of_the_page_on_performance(study, hours):
    total = sum(expected_seconds(run) for run in select(study)) / 3600
    assert total == pytest.approx(hours, rel=0.1)  # twice the times on two cores


@pytest.mark.parametrize("data", ["synth_linear", "synth_nonlinear"])
def test_a_small_batch_costs_more(data):
    (large,) = select("full", ["beta_vae"], [data], [0])
    (small,) = select("full", ["beta_vae"], [f"{data}_batch_16"], [0])
    assert expected_seconds(small) > 1.7 * expected_seconds(large)


def test_an_untrained_model_costs_less():
    (untrained,) = select("table_2", ["random_decoder"], ["dsprites"], [0])
    assert expected_seconds(untrained) < 60


def test_a_launch_forgets_the_errors_of_the_one_before_and_keeps_its_files(folder):
    fail(folder, QUICK[0])
    first = launch.begin_launch(QUICK, folder, retries=1)
    assert not folder.run(QUICK[0]).partial.error.exists()
    assert folder.run(QUICK[0]).partial.directory.exists()
    launch.begin_launch(QUICK, folder, retries=1)
    third = launch.begin_launch(QUICK[:3], folder, retries=1)
    assert sorted(path.name for path in folder.launches.iterdir()) == ["2", "3"]
    assert not first.plan.exists()
    assert sum(map(len, read_plan(third.plan).chunks.values())) == 3


def test_a_chunk_leaves_out_what_is_finished_and_what_failed_in_this_launch(folder, monkeypatch):
    begun = launch.begin_launch(QUICK[:4], folder, retries=1)
    finish(folder, QUICK[0])
    fail(folder, QUICK[1])

    def make(runs, folder, jobs, threads, retries):
        assert (runs, jobs, threads, retries) == ([QUICK[2], QUICK[3]], 1, 2, 1)
        finish(folder, QUICK[2])
        folder.run(QUICK[3]).partial.directory.mkdir()  # of a worker that was killed
        return [Failure(QUICK[3], "its process was killed", folder.log(QUICK[3]))]

    monkeypatch.setattr(chunk, "make_in_workers", make)
    assert chunk.make_chunk(begun.plan, "synth_linear-0", threads=2)
    assert folder.run(QUICK[3]).partial.error.read_text() == "its process was killed"


def test_a_chunk_whose_worker_left_nothing_is_tried_again(folder, monkeypatch):
    begun = launch.begin_launch(QUICK[:1], folder, retries=1)
    failure = Failure(QUICK[0], "no worker: no memory", folder.log(QUICK[0]))
    monkeypatch.setattr(chunk, "make_in_workers", lambda *arguments, **options: [failure])
    assert not chunk.make_chunk(begun.plan, "synth_linear-0", threads=1)


class Lines:
    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)

    def update(self):
        pass


def test_the_launcher_sees_finished_and_failed_runs_in_the_results_folder(folder):
    progress, display = Progress(collections.deque(QUICK), jobs=1), Lines()
    watch = Watch(QUICK, folder, progress, display)
    watch.look()
    assert (progress.done, len(progress.waiting), display.lines) == (0, len(QUICK), [])
    finish(folder, QUICK[0], seconds=90.0)
    fail(folder, QUICK[1])
    watch.look()
    watch.look()
    assert progress.done == 2
    assert progress.failures == [Failure(QUICK[1], "ValueError: the test's", folder.log(QUICK[1]))]
    assert sorted(line.split(":")[1].split(",")[0] for line in display.lines) == [
        " 2 min",
        " FAILED",
    ]
    assert watch.missing == QUICK[1:]


def options(**given):
    """What Snakemake's parser gives; a Slurm option that is not given is no string and no number."""
    nothing = object()
    names = ("slurm_status_command", "slurm_array_jobs", "slurm_array_limit")
    return argparse.Namespace(**{"jobs": None, **dict.fromkeys(names, nothing), **given})


@pytest.mark.parametrize(("answers", "expected"), [(False, True), (True, False)])
def test_states_of_jobs_come_from_squeue_where_slurm_has_no_data_base(
    monkeypatch, answers, expected
):
    monkeypatch.setattr(slurm, "accounting_answers", lambda: answers)
    assert ("--slurm-status-command=squeue" in slurm_options(options(jobs=5), 10)) is expected


def test_arrays_are_submitted_when_all_jobs_are_submitted_at_once(monkeypatch):
    monkeypatch.setattr(slurm, "accounting_answers", lambda: True)
    arrays = ["--slurm-array-jobs=all", "--slurm-array-limit=30"]
    assert slurm_options(options(jobs=10), 10)[1:] == arrays
    assert slurm_options(options(jobs=9), 10)[1:] == []
    own = options(jobs=10, slurm_array_jobs="mnist", slurm_array_limit=5)
    assert slurm_options(own, 10)[1:] == []
    with pytest.raises(InputError, match="--jobs 10 or more"):
        slurm_options(options(jobs=9, slurm_array_jobs="all"), 10)


def test_names_of_jobs_tell_results_folders_apart_and_are_names_for_slurm(tmp_path):
    prefixes = {slurm.job_prefix(tmp_path / name) for name in ("a", "b {0}", "ä")}
    assert len(prefixes) == 3
    for prefix in prefixes:
        assert len(prefix) <= 50
        assert prefix.replace("_", "").isalnum()
        assert prefix.isascii()


def test_leftover_jobs_are_cancelled_and_waited_for(tmp_path, monkeypatch):
    queue = tmp_path / "queue"
    queue.write_text("7|vae_ortho_1-a\n8|vae_ortho_1-b\n8|vae_ortho_1-b\n9|vae_ortho_2-a\n")
    programs = {
        "squeue": f"cat {queue}",
        "scancel": f'for job; do sed -i "/^$job|/d" {queue}; done',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert slurm.cancel_leftover_jobs("vae_ortho_1") == 2
    assert queue.read_text() == "9|vae_ortho_2-a\n"


def test_a_machine_without_slurm_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not slurm.accounting_answers()
    with pytest.raises(
        InputError, match="no squeue on this machine. Start the study on a login node"
    ):
        slurm.cancel_leftover_jobs("vae_ortho_1")


def study(tmp_path, *words):
    selected = ["--models", "random_decoder", "--data-sets", "synth_linear", "--seeds", "0"]
    return command.main([*selected, "--output", str(tmp_path / "output"), *words])


def test_all_that_follows_is_snakemakes():
    words = ["--jobs", "3", "--snakemake", "--executor", "slurm", "--jobs", "50", "--retries", "5"]
    parsed = command.parser().parse_args(words)
    assert (parsed.jobs, parsed.retries) == (3, 1)
    assert parsed.snakemake == ["--executor", "slurm", "--jobs", "50", "--retries", "5"]


def test_jobs_of_one_machine_are_refused_beside_snakemake(tmp_path, capsys):
    assert study(tmp_path, "--jobs", "3", "--snakemake", "--cores", "2") == 2
    assert "write it behind --snakemake" in capsys.readouterr().err


def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "NEEDED", ("no_such_module",))
    assert study(tmp_path, "--snakemake", "--cores", "2") == 2
    error = capsys.readouterr().err
    assert "--snakemake needs no_such_module, which is not installed" in error
    assert "pip install '.[cluster]'" in error


def test_a_python_that_is_too_old_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "PYTHON", (4, 0))
    assert study(tmp_path, "--snakemake", "--cores", "2") == 2
    assert "--snakemake needs Python 3.11 or later; this is 3." in capsys.readouterr().err
