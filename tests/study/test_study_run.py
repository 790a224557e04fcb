# SPDX-License-Identifier: Apache-2.0
"""How many runs at a time, and in which order."""

import argparse
import math
import os

import pytest

from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.plan.schedule import expected_seconds, in_order, seconds_by_chain
from vae_ortho_plugin.study.run import machine as this_machine
from vae_ortho_plugin.study.run import missing_runs


@pytest.fixture
def machine(monkeypatch):
    """Eight cores and as many GiB of memory as it is called with, in no control group."""

    def machine(gigabytes):
        sizes = {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": gigabytes * 2**18}
        monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
        monkeypatch.setattr(this_machine, "control_group_limits", list)
        monkeypatch.setattr(this_machine, "available_cores", lambda: 8)

    return machine


@pytest.mark.parametrize(
    ("study", "gigabytes", "jobs"),
    [("full", 4, 1), ("full", 24, 3), ("full", 1000, 8), ("synthetic", 5, 4), ("synthetic", 16, 8)],
)
def test_runs_take_a_core_each_where_the_memory_holds_them(machine, study, gigabytes, jobs):
    machine(gigabytes)
    assert this_machine.default_jobs(select(study)) == jobs


def test_the_limit_of_a_control_group_counts_where_it_is_lower(machine, monkeypatch):
    machine(1000)
    monkeypatch.setattr(
        this_machine, "control_group_limits", lambda: [(17 * 2**30, "the container's")]
    )
    assert this_machine.describe_limit() == "17.0 GiB, the container's"
    assert this_machine.default_jobs(select("full")) == 2


@pytest.fixture
def granted(tmp_path, monkeypatch):
    """Puts this process into control groups whose files it is called with."""

    def granted(groups, **files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        monkeypatch.setattr(this_machine, "_GROUPS", tmp_path)
        monkeypatch.setattr(this_machine, "_own_groups", groups.splitlines)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))

    return granted


@pytest.mark.parametrize(
    ("groups", "file"),
    [("0::/job/step\n", "job/memory.max"), ("5:memory:/job\n", "memory/job/memory.limit_in_bytes")],
)
def test_control_groups_of_either_version_are_read_up_to_the_root(groups, file, granted):
    granted(groups, **{file: "1000\n", "memory.max": "max\n"})
    ((limit, what),) = this_machine.control_group_limits()
    assert limit == 1000
    assert what.endswith("/job")


V1 = "3:cpu,cpuacct:/docker/1"
QUOTA, PERIOD = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "max 100000\n"}, 64),
        ("0::/", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/a/b", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "400000 100000\n"}, 3),
        ("0::/a", {"a/memory.max": "1\n"}, 64),
        (V1, {QUOTA: "400000\n", PERIOD: "100000\n"}, 4),
        (V1, {QUOTA: "-1\n", PERIOD: "100000\n"}, 64),
        ("", {}, 64),
    ],
)
def test_a_quota_of_the_processor_counts_where_it_is_lower_than_the_cores(
    groups, files, cores, granted
):
    granted(groups, **files)
    assert this_machine.available_cores() == cores


def test_every_experiment_has_a_seed_before_any_has_two_and_the_long_runs_of_a_seed_come_first():
    runs = in_order(select("table_2", seeds=[0, 1]))
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    trained = [run for run in runs if run.experiment.model != "random_decoder" and run.seed == 0]
    first = {"fashion_mnist": "mnist"}  # which take equally long
    sets = [run.experiment.data.data_set for run in trained]
    assert list(dict.fromkeys(first.get(one, one) for one in sets)) == [
        *("dsprites", "mnist", "synth_nonlinear", "synth_linear")
    ]
    assert runs[-1].experiment.model == "random_decoder"


def test_a_run_comes_after_the_shorter_ones_that_it_can_continue():
    runs = in_order(select("figure_4", seeds=[0, 1]))
    assert [(run.seed, run.experiment.data.epochs) for run in runs] == [
        (seed, epochs) for seed in (0, 1) for epochs in (10, 30, 50)
    ]


def test_runs_that_continue_each_other_take_as_long_as_the_longest_of_them():
    runs = select("figure_4", seeds=[0, 1])
    longest = max(expected_seconds(run.experiment) for run in runs)
    assert list(seconds_by_chain(runs).values()) == [longest, longest]


def test_runs_that_continue_each_other_share_one_worker(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(missing_runs, "available_cores", lambda: 8)
    monkeypatch.setattr(missing_runs, "make_in_workers", lambda _, threads: threads == 4)
    options = argparse.Namespace(jobs=6, retries=1, snakemake=None)
    runs = select("figure_4", seeds=[0, 1])
    state, with_four_threads = missing_runs._make_missing(
        runs, ResultsFolder(tmp_path), options, math.inf, report=None
    )
    assert (state.jobs, with_four_threads) == (2, True)
    assert "6 runs, 0 of them finished before" in capsys.readouterr().out
