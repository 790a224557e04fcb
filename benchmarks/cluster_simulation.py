# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.cluster_simulation`: how long studies take on clusters, for docs/scaling.md.

A discrete-event simulation of what `vae_ortho_study --snakemake` does: jobs wait for free cores of a node, pay for
their start, make their runs one after the other, and are submitted again when their node fails. Costs of runs
are those of docs/performance.md, by way of the plan that a real launch writes.
"""

import dataclasses
import heapq
import itertools
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_ortho_plugin.files import LEASE_SECONDS
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run.cluster.costs import COSTS, expected_seconds
from vae_ortho_plugin.study.run.cluster.engine import ARRAY_LIMIT
from vae_ortho_plugin.study.run.cluster.plan import plan_of
from vae_ortho_plugin.study.run.schedule import in_order

# Of a job besides its runs: two nested Snakemakes (measured), and the start of TensorFlow.
JOB_SECONDS = 10.0
TENSORFLOW_SECONDS = 20.0
# Snakemake asks Slurm for the states of its jobs this often at last.
STATUS_SECONDS = 180.0
CHECKPOINT_SECONDS = 600.0
REPAIR_SECONDS = 3600.0
DAY = 86_400.0


@dataclass(frozen=True)
class Job:
    """A job that makes `runs`, seconds each, one after the other on a number of cores."""

    cores: int
    runs: tuple[float, ...]


@dataclass(frozen=True)
class Cluster:
    """Identical nodes.

    Attributes:
        nodes: their number.
        cores: of a node, or its GPUs.
        failure_seconds: mean time between failures of a node; infinite without failures.
    """

    nodes: int
    cores: int
    failure_seconds: float = float("inf")


@dataclass
class Outcome:
    """What a study took.

    Attributes:
        seconds: until its last job ended.
        used: core seconds of jobs.
        lost: core seconds of work that was done twice or more.
        submissions: of jobs, those after failures included.
        running: most jobs at a time.
    """

    seconds: float = 0.0
    used: float = 0.0
    lost: float = 0.0
    submissions: int = 0
    running: int = 0


class Simulation:
    """A study on a cluster, to its end.

    Args:
        jobs: in the order in which they are to be started.
        cluster: where.
        resume: whether an interrupted run continues from its last checkpoint; else it starts over.
        seed: of the failures.
    """

    def __init__(self, jobs: Sequence[Job], cluster: Cluster, resume: bool = True, seed: int = 0):
        self._cluster, self._resume = cluster, resume
        self._random = random.Random(seed)
        self._free = [cluster.cores] * cluster.nodes
        self._running: list[dict[int, tuple[float, Job]]] = [{} for _ in range(cluster.nodes)]
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, str, int, object]] = []
        self._waiting = list(reversed(jobs))
        self._unfinished = len(jobs)
        self.outcome = Outcome()
        if cluster.failure_seconds < float("inf"):
            for node in range(cluster.nodes):
                self._plan_failure(node, 0.0)

    def run(self) -> Outcome:
        """Simulates until every job has ended."""
        self._start_jobs(0.0)
        while self._unfinished:
            now, number, kind, node, job = heapq.heappop(self._events)
            if kind == "end":
                self._end(now, number, node)
            elif kind == "fail":
                self._fail(now, node)
            elif kind == "repaired":
                self._free[node] = self._cluster.cores
                self._plan_failure(node, now)
            else:
                self._waiting.append(job)
            self._start_jobs(now)
        return self.outcome

    def _at(self, when: float, kind: str, node: int = 0, job: object = None) -> int:
        number = next(self._numbers)
        heapq.heappush(self._events, (when, number, kind, node, job))
        return number

    def _plan_failure(self, node: int, now: float) -> None:
        self._at(now + self._random.expovariate(1 / self._cluster.failure_seconds), "fail", node)

    def _start_jobs(self, now: float) -> None:
        """Starts waiting jobs, in their order, on the node with the most free cores."""
        nodes = [(-free, node) for node, free in enumerate(self._free) if free]
        heapq.heapify(nodes)
        while self._waiting and nodes:
            job = self._waiting[-1]
            if -nodes[0][0] < job.cores:
                break
            free, node = heapq.heappop(nodes)
            self._waiting.pop()
            self._free[node] -= job.cores
            if self._free[node]:
                heapq.heappush(nodes, (free + job.cores, node))
            seconds = JOB_SECONDS + TENSORFLOW_SECONDS + sum(job.runs)
            self._running[node][self._at(now + seconds, "end", node)] = now, job
            self.outcome.submissions += 1
        self.outcome.running = max(self.outcome.running, sum(map(len, self._running)))

    def _end(self, now: float, number: int, node: int) -> None:
        # None: its node has failed.
        if (found := self._running[node].pop(number, None)) is not None:
            begun, job = found
            self._free[node] += job.cores
            self._unfinished -= 1
            self.outcome.used += (now - begun) * job.cores
            self.outcome.seconds = now

    def _fail(self, now: float, node: int) -> None:
        for begun, job in self._running[node].values():
            left, lost = after_failure(job, now - begun, self._resume)
            self.outcome.used += (now - begun) * job.cores
            self.outcome.lost += lost * job.cores
            self._at(now + STATUS_SECONDS + LEASE_SECONDS, "again", job=left)
        self._running[node].clear()
        self._free[node] = 0
        self._at(now + REPAIR_SECONDS, "repaired", node)


def after_failure(job: Job, seconds: float, resume: bool) -> tuple[Job, float]:
    """What is left of a job whose node failed `seconds` after its start, and the seconds of lost work."""
    start = min(seconds, JOB_SECONDS + TENSORFLOW_SECONDS)
    worked, left = seconds - start, list(job.runs)
    while left and worked >= left[0]:
        worked -= left.pop(0)
    kept = worked // CHECKPOINT_SECONDS * CHECKPOINT_SECONDS if resume else 0.0
    if left:
        left[0] -= kept
    return dataclasses.replace(job, runs=tuple(left)), start + worked - kept


def study_jobs(study: str) -> list[Job]:
    """The jobs of a study as a launch plans them, the longest first."""
    plan = plan_of(in_order(select(study)), Path("/"), retries=1)
    jobs = [
        Job(plan.resources[name.rpartition("-")[0]].threads, tuple(map(expected_seconds, runs)))
        for name, runs in plan.chunks.items()
    ]
    return sorted(jobs, key=lambda job: -sum(job.runs))


def fitting(job: Job, cores: int) -> Job:
    """The job on at most this number of cores; its runs take as many core seconds as before."""
    if job.cores <= cores:
        return job
    return Job(cores, tuple(seconds * job.cores / cores for seconds in job.runs))


# dlib's own study: 7 data sets, 6 models, 6 hyperparameters, 50 seeds, 300,000 steps each.
LARGE_RUNS, LARGE_STEPS = 12_600, 300_000
# docs/performance.md: dSprites, conv_encoder, on two cores.
CONV_STEPS_PER_SECOND = 22.8


def large_jobs() -> list[Job]:
    """A job a run on 2 cores; evaluation as expensive as MNIST's."""
    seconds = COSTS["mnist"].seconds + LARGE_STEPS / CONV_STEPS_PER_SECOND
    return [Job(2, (seconds,))] * LARGE_RUNS


# docs/performance.md, "On a GPU: an estimate": steps a second on one card.
GPU_STEPS_PER_SECOND = {"dsprites": 1000.0, "mnist": 4000.0}


def on_gpus(study: str) -> list[Job]:
    """The jobs of a study on images with a GPU each, by the estimated rates; the synthetic sets stay on cores."""
    if study == "large":
        seconds = COSTS["mnist"].seconds + LARGE_STEPS / GPU_STEPS_PER_SECOND["dsprites"]
        return [Job(1, (seconds,))] * LARGE_RUNS
    jobs = []
    for run in select(study):
        data = run.experiment.data
        if data.data_set.startswith("synth"):
            continue
        steps = {"dsprites": 9216, "mnist": 875, "fashion_mnist": 875}[data.data_set] * data.epochs
        rate = GPU_STEPS_PER_SECOND["dsprites" if data.data_set == "dsprites" else "mnist"]
        trained = run.experiment.model != "random_decoder"
        jobs.append(Job(1, (COSTS[data.data_set].seconds + trained * steps / rate,)))
    return sorted(jobs, key=lambda job: -sum(job.runs))


MACHINES = {
    "1 machine, 2 cores": Cluster(1, 2),
    "1 machine, 32 cores": Cluster(1, 32),
    "1,000 cores": Cluster(32, 32),
    "10,000 cores": Cluster(313, 32),
}


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours / 24:,.1f} days" if hours > 72 else f"{hours:,.1f} h"


def _row(name: str, where: str, jobs: Sequence[Job], cluster: Cluster) -> str:
    outcome = Simulation(jobs, cluster).run()
    cells = [name, where, _hours(outcome.seconds), f"{outcome.used / 3600:,.0f}"]
    if cluster.nodes == 1:  # the workers of one machine are no jobs
        cells += ["–"] * 4
    else:
        hours = max(outcome.seconds / 3600, 1)
        submissions = -(-len(jobs) // ARRAY_LIMIT)
        cells += [f"{len(jobs):,}", f"{submissions:,}"]
        cells += [f"{len(jobs) / hours:,.0f}", f"{outcome.running:,}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints the tables of docs/scaling.md."""
    print(
        "| study | where | time | core (GPU) hours | jobs | calls of sbatch | jobs an hour | most at a time |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    studies = {"full": study_jobs("full"), "12,600 runs": large_jobs()}
    for name, jobs in studies.items():
        for where, cluster in MACHINES.items():
            print(_row(name, where, [fitting(job, cluster.cores) for job in jobs], cluster))
        print(
            _row(
                name,
                "16 GPUs (estimate)",
                on_gpus("full" if name == "full" else "large"),
                Cluster(4, 4),
            )
        )
    print("\n| study | a node fails every | resume | time | lost core hours | share | jobs |")
    print("|---|---|---|---:|---:|---:|---:|")
    for name, jobs in studies.items():
        for days in (30, 1):
            for resume in (True, False):
                cluster = dataclasses.replace(MACHINES["1,000 cores"], failure_seconds=days * DAY)
                found = [Simulation(jobs, cluster, resume, seed).run() for seed in range(10)]
                mean = {
                    key: statistics.mean(getattr(outcome, key) for outcome in found)
                    for key in ("seconds", "lost", "used", "submissions")
                }
                print(
                    f"| {name} | {'day' if days == 1 else f'{days} days'} | {'yes' if resume else 'no'} | {_hours(mean['seconds'])} "
                    f"| {mean['lost'] / 3600:,.0f} | {mean['lost'] / mean['used']:.2%} "
                    f"| {mean['submissions']:,.0f} |"
                )


if __name__ == "__main__":
    main()
