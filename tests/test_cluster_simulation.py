# SPDX-License-Identifier: Apache-2.0
"""The simulation behind docs/scaling.md, on cases whose outcome is known."""

import pytest

from benchmarks.cluster_simulation import (
    JOB_SECONDS,
    LEASE_SECONDS,
    STATUS_SECONDS,
    TENSORFLOW_SECONDS,
    Cluster,
    Job,
    Simulation,
    after_failure,
    fitting,
    study_jobs,
)
from vae_ortho_plugin.study.plan.plans import select

START = JOB_SECONDS + TENSORFLOW_SECONDS


def test_equal_jobs_take_as_many_rounds_as_needed():
    outcome = Simulation([Job(1, (100.0, 50.0))] * 5, Cluster(nodes=1, cores=2)).run()
    assert outcome.seconds == pytest.approx(3 * (START + 150))
    assert (outcome.submissions, outcome.running, outcome.lost) == (5, 2, 0.0)


def test_a_job_waits_until_a_node_has_its_cores_free():
    jobs = [Job(1, (100.0,)), Job(2, (100.0,))]
    assert Simulation(jobs, Cluster(1, 2)).run().seconds == pytest.approx(2 * (START + 100))
    assert Simulation(jobs, Cluster(2, 2)).run().seconds == pytest.approx(START + 100)


def test_fewer_cores_make_a_run_longer():
    assert fitting(Job(4, (100.0,)), 2) == Job(2, (200.0,))
    assert fitting(Job(1, (100.0,)), 2) == Job(1, (100.0,))


def test_a_resumed_run_loses_what_came_after_its_last_checkpoint():
    job = Job(1, (1000.0, 2000.0))
    left, lost = after_failure(job, START + 1000 + 1300, resume=True)
    assert (left.runs, lost) == ((800.0,), START + 100)
    left, lost = after_failure(job, START + 1000 + 1300, resume=False)
    assert (left.runs, lost) == ((2000.0,), START + 1300)


def test_a_failure_in_the_start_of_a_job_loses_no_work_of_its_runs():
    left, lost = after_failure(Job(1, (1000.0,)), 5.0, resume=True)
    assert (left.runs, lost) == ((1000.0,), 5.0)


def test_with_failures_the_work_done_is_the_work_needed_and_the_work_lost():
    jobs = [Job(2, (4000.0,))] * 40
    cluster = Cluster(nodes=3, cores=4, failure_seconds=20_000.0)
    for resume in (True, False):
        outcome = Simulation(jobs, cluster, resume, seed=1).run()
        needed = 40 * 2 * (4000 + START)
        assert outcome.lost > 0
        assert outcome.used == pytest.approx(needed + outcome.lost)
        assert outcome.submissions > 40
        assert outcome.seconds > 4000 + START + STATUS_SECONDS + LEASE_SECONDS


def test_the_jobs_of_a_study_have_all_its_runs():
    assert sum(len(job.runs) for job in study_jobs("full")) == len(select("full"))
