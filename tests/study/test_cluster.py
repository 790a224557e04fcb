# SPDX-License-Identifier: Apache-2.0
"""How a study is divided into jobs of a cluster, and what its launcher does besides starting Snakemake."""

import argparse
import json

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.plan.schedule import COSTS, chain, expected_seconds, in_order
from vae_ortho_plugin.study.run import command
from vae_ortho_plugin.study.run.cluster import jobs as module
from vae_ortho_plugin.study.run.cluster import launch, submission
from vae_ortho_plugin.study.run.cluster.jobs import JOB_SECONDS, make_job, plan_of_launch, runs_of
from vae_ortho_plugin.study.run.cluster.submission import slurm_options
from vae_ortho_plugin.study.run.state import StudyState

QUICK = select("quick", None, ["synth_linear"], range(2))


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path)


@pytest.fixture
def full(tmp_path):
    """The plan of a launch of the full study."""
    return plan_of_launch(in_order(select("full")), tmp_path, retries=1)


def finish(folder, run, seconds=30.0):
    folder.run(run).path.mkdir(parents=True)
    folder.run(run).facts.write_text(json.dumps({"seconds": seconds}))


def fail(folder, run, error="ValueError: the test's"):
    folder.run(run).partial.path.mkdir(parents=True, exist_ok=True)
    folder.run(run).partial.error.write_text(error)


def seconds_of(run):
    return expected_seconds(run.experiment, COSTS[run.data_set].threads)


def test_every_run_is_in_one_job_whose_runs_have_one_data_set_and_nearly_one_length(full):
    jobs = {name: runs_of(full, name) for name in full["jobs"]}
    found = sorted(str(run) for runs in jobs.values() for run in runs)
    assert found == sorted(map(str, select("full")))
    for name, runs in jobs.items():
        data_set = name.rpartition("-")[0]
        assert {run.data_set for run in runs} == {data_set}
        seconds = list(map(seconds_of, runs))
        if name.startswith("synth"):
            assert sum(seconds) < JOB_SECONDS + max(seconds)
        else:
            assert (
                len({chain(run) for run in runs if run.experiment.model != "random_decoder"}) <= 1
            )
        longest = {chain(run): seconds_of(run) for run in runs}  # the last run of each chain
        assert 60 * full["resources"][data_set]["minutes"] > 3 * sum(longest.values()) + 600
    by_priority = sorted(full["resources"], key=lambda one: -full["resources"][one]["priority"])
    assert by_priority == ["dsprites", "fashion_mnist", "mnist", "synth_nonlinear", "synth_linear"]


def test_runs_that_continue_each_other_are_in_one_job_which_takes_as_long_as_the_longest(tmp_path):
    runs = select("figure_4", seeds=[0, 1])
    plan = plan_of_launch(in_order(runs), tmp_path, retries=1)
    epochs = [[run.experiment.data.epochs for run in runs_of(plan, job)] for job in plan["jobs"]]
    assert epochs == [[10, 30, 50]] * 2
    longest = plan_of_launch([run for run in runs if run.experiment.data.epochs == 50], tmp_path, 1)
    assert plan["resources"] == longest["resources"]


def test_a_launch_is_read_as_it_was_written_shortened_runs_too(tmp_path):
    runs = [*QUICK, *select("dial", ["linearized_vae"], seeds=[3], epochs=2)]
    plan = json.loads(json.dumps(plan_of_launch(runs, tmp_path, retries=2)))
    assert {run for name in plan["jobs"] for run in runs_of(plan, name)} == set(runs)


@pytest.mark.parametrize(("study", "hours"), [("synthetic", 5.7), ("mnist", 94)])
def test_the_expected_times_are_those_of_the_page_on_performance(study, hours):
    total = sum(map(seconds_of, select(study))) / 3600
    assert total == pytest.approx(hours, rel=0.1)  # twice the times on two cores


def test_a_small_batch_costs_more_and_an_untrained_model_less():
    for data in ("synth_linear", "synth_nonlinear"):
        (large,) = select("full", ["beta_vae"], [data], [0])
        (small,) = select("full", ["beta_vae"], [f"{data}_batch_16"], [0])
        assert seconds_of(small) > 1.5 * seconds_of(large)
    (untrained,) = select("table_2", ["random_decoder"], ["dsprites"], [0])
    assert seconds_of(untrained) < 60


def test_a_launch_forgets_the_errors_of_the_one_before_whose_files_stay(folder):
    fail(folder, QUICK[0])
    (folder.launches / "1 of mine").mkdir(parents=True)
    first = launch.begin_launch(StudyState(QUICK, folder))
    assert not folder.run(QUICK[0]).partial.error.exists()
    assert folder.run(QUICK[0]).partial.path.exists()
    launch.begin_launch(StudyState(QUICK, folder))
    third = launch.begin_launch(StudyState(QUICK[:3], folder))
    assert sorted(path.name for path in folder.launches.iterdir()) == ["1 of mine", "2", "3"]
    assert not first.exists()
    assert sum(map(len, json.loads((third / "plan.json").read_text())["jobs"].values())) == 3


def test_a_job_leaves_out_what_is_finished_and_what_failed_in_this_launch(folder, monkeypatch):
    begun = launch.begin_launch(StudyState(QUICK[:4], folder, retries=1))
    finish(folder, QUICK[0])
    fail(folder, QUICK[1])

    def make(state, threads):
        assert (state.waiting, state.jobs) == ([QUICK[2], QUICK[3]], 1)
        assert (threads, state.retries) == (2, 1)
        finish(folder, QUICK[2])
        fail(folder, QUICK[3])

    monkeypatch.setattr(module, "make_in_workers", make)
    assert make_job(begun / "plan.json", "synth_linear-0", threads=2)


def test_a_job_whose_worker_left_nothing_is_tried_again(folder, monkeypatch):
    begun = launch.begin_launch(StudyState(QUICK[:1], folder))
    monkeypatch.setattr(module, "make_in_workers", lambda *arguments: True)
    assert not make_job(begun / "plan.json", "synth_linear-0", threads=1)


def test_the_launcher_sees_finished_and_failed_runs_in_the_results_folder(folder, capsys):
    state = StudyState(list(QUICK), folder)
    launch.look(state, begun=0.0)
    assert (state.done, state.waiting, capsys.readouterr().out) == (0, QUICK, "")
    finish(folder, QUICK[0], seconds=90.0)
    fail(folder, QUICK[1])
    launch.look(state, begun=0.0)
    launch.look(state, begun=0.0)
    assert state.done == 2
    assert state.failures == {QUICK[1]: "ValueError: the test's"}
    assert state.waiting == QUICK[2:]
    printed = capsys.readouterr().out
    assert f"{QUICK[0]}: 2 min" in printed
    assert printed.count("FAILED") == printed.count(f"{QUICK[1]}: FAILED, ValueError") == 1
    (folder.run(QUICK[1]).partial.error).unlink()
    launch.look(state, begun=0.0)
    assert (state.done, state.failures) == (1, {})


def options(**given):
    """What Snakemake's parser gives; a Slurm option that is not given is no string and no number."""
    nothing = object()
    names = ("slurm_status_command", "slurm_array_jobs", "slurm_array_limit")
    return argparse.Namespace(**{"jobs": None, **dict.fromkeys(names, nothing), **given})


def test_squeue_is_asked_without_a_data_base_and_arrays_are_submitted_with_all_jobs_at_once(
    monkeypatch,
):
    monkeypatch.setattr(submission, "accounting_answers", lambda: False)
    assert "--slurm-status-command=squeue" in slurm_options(options(jobs=5), 10)
    monkeypatch.setattr(submission, "accounting_answers", lambda: True)
    arrays = ["--slurm-array-jobs=all", "--slurm-array-limit=30"]
    assert slurm_options(options(jobs=10), 10)[1:] == arrays
    assert slurm_options(options(jobs=9), 10)[1:] == []
    own = options(jobs=10, slurm_array_jobs="mnist", slurm_array_limit=5)
    assert slurm_options(own, 10)[1:] == []
    with pytest.raises(InputError, match="--jobs 10 or more"):
        slurm_options(options(jobs=9, slurm_array_jobs="all"), 10)


def test_names_of_jobs_tell_results_folders_apart_and_are_names_for_slurm(tmp_path):
    prefixes = {submission.job_prefix(tmp_path / name) for name in ("a", "b {0}", "ä")}
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
    assert submission.cancel_leftover_jobs("vae_ortho_1") == 2
    assert queue.read_text() == "9|vae_ortho_2-a\n"


def test_a_machine_without_slurm_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not submission.accounting_answers()
    with pytest.raises(
        InputError, match="no squeue on this machine. Start the study on a login node"
    ):
        submission.cancel_leftover_jobs("vae_ortho_1")


def study(tmp_path, *words):
    selected = ["--models", "random_decoder", "--data-sets", "synth_linear", "--seeds", "0"]
    return command.main([*selected, "--output", str(tmp_path / "output"), *words])


def test_all_that_follows_is_snakemakes():
    words = ["--jobs", "3", "--snakemake", "--executor", "slurm", "--jobs", "50", "--retries", "5"]
    parsed = command.parser().parse_args(words)
    assert (parsed.jobs, parsed.retries) == (3, 1)
    assert parsed.snakemake == ["--executor", "slurm", "--jobs", "50", "--retries", "5"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("NEEDED", ("no_such_module",)), "--snakemake needs no_such_module, which is not inst"),
        (("PYTHON", (4, 0)), "--snakemake needs Python 3.11 or later; this is 3."),
    ],
)
def test_what_snakemake_needs_is_named_and_jobs_of_one_machine_are_refused_beside_it(
    tmp_path, monkeypatch, capsys, changed, message
):
    monkeypatch.setattr(launch, *changed)
    assert study(tmp_path, "--snakemake", "--cores", "2") == 2
    error = capsys.readouterr().err
    assert message in error
    assert "pip install '.[cluster]'" in error
    assert study(tmp_path, "--jobs", "3", "--snakemake", "--cores", "2") == 2
    assert "write it behind --snakemake" in capsys.readouterr().err
