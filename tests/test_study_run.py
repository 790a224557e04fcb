# SPDX-License-Identifier: Apache-2.0
"""How many runs at a time, and in which order."""

import os

import pytest

from vae_ortho_plugin.study.layout import ResultsFolder
from vae_ortho_plugin.study.plans import select
from vae_ortho_plugin.study.run import missing_runs, schedule


@pytest.fixture
def machine(monkeypatch):
    """Eight cores and as many GiB of memory as it is called with."""

    def machine(gigabytes):
        sizes = {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": gigabytes * 2**18}
        monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
        monkeypatch.setattr(schedule, "available_cores", lambda: 8)

    return machine


@pytest.mark.parametrize(("gigabytes", "jobs"), [(4, 1), (24, 3), (1000, 8)])
def test_runs_of_dsprites_are_no_more_than_the_memory_holds(machine, gigabytes, jobs):
    machine(gigabytes)
    assert schedule.default_jobs(select("full")) == jobs


def test_other_runs_take_a_core_each(machine):
    machine(8)
    assert schedule.default_jobs(select("synthetic")) == 8


def test_every_cell_has_a_seed_before_any_has_two_and_the_long_runs_of_a_seed_come_first(
    monkeypatch, tmp_path
):
    made = []
    monkeypatch.setattr(
        missing_runs, "make_in_workers", lambda runs, *_, **__: made.extend(runs) or []
    )
    missing_runs.make_missing(select("table_2", seeds=[0, 1]), ResultsFolder(tmp_path), jobs=1)
    trained = [item for item in made if item.experiment.model != "random_decoder"]
    assert made[: len(trained)] == trained
    assert [item.seed for item in trained] == sorted(item.seed for item in trained)
    first = [item.experiment.data.data_set for item in trained if item.seed == 0]
    assert list(dict.fromkeys(first)) == list(schedule.LONGEST_FIRST)
