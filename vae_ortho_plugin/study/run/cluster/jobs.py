# SPDX-License-Identifier: Apache-2.0
"""Which runs a job of the cluster makes, what it asks for, and its process on a node.

A launch writes its jobs once: the Snakemakes of the login node and of every job read them.

`python -m vae_ortho_plugin.study.run.cluster.jobs PLAN JOB THREADS` makes the runs of a job that are missing,
one after the other, in a worker process as `vae_ortho_study` does on one machine. A run that fails does not
stop the others, and its error stays in the results folder. The exit status is 0 when every run is finished or
has failed, so that Snakemake tries a job again only when it was cut short, by a node that failed for example.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.files import streams
from vae_ortho_plugin.study.plan.experiments import Run, run_of
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import COSTS, chain, seconds_by_chain
from vae_ortho_plugin.study.run.pool import make_in_workers
from vae_ortho_plugin.study.run.state import StudyState

# A job of Slurm costs some 10 s besides its runs, and 20 s to start TensorFlow.
JOB_SECONDS = 15 * 60
# Nodes differ, and a run that reaches the limit is resumed.
_LIMIT_FACTOR = 3
_LIMIT_MINUTES = 15


def plan_of_launch(runs: Sequence[Run], output: Path, retries: int) -> dict:
    """Divides runs, in their order, into jobs of one data set and of about JOB_SECONDS; long runs have their own.

    Runs that continue each other are in one job, and take as long as the longest of them.

    The Snakefile reads the plan too: `output`, the absolute results folder; `retries`, further attempts of a
    job at a run that failed; `jobs`, name of a job such as 'synth_linear-3' -> model number and epochs of
    each run; `resources`, data set -> what each of its jobs asks for: 'threads', 'memory' (MB), 'minutes'
    (limit of time), 'priority' (jobs with a higher one start first). They are the same for all jobs of a data
    set, since Slurm gives those of the first job to all jobs of an array.
    """
    jobs: dict[str, list] = {}
    resources = {}
    for data_set, cost in COSTS.items():
        own: dict[tuple, list[Run]] = {}
        for run in runs:
            if run.data_set == data_set:
                own.setdefault(chain(run), []).append(run)
        seconds: list[float] = []  # of each job
        for continued in own.values():
            if not seconds or seconds[-1] >= JOB_SECONDS:
                jobs[f"{data_set}-{len(seconds)}"] = []
                seconds.append(0.0)
            job = jobs[f"{data_set}-{len(seconds) - 1}"]
            job += [(run.model_num, run.shortened_to) for run in continued]
            seconds[-1] += sum(seconds_by_chain(continued, cost.threads).values())
        if own:
            resources[data_set] = {
                "threads": cost.threads,
                "memory": cost.memory,
                "minutes": math.ceil(_LIMIT_MINUTES + _LIMIT_FACTOR * max(seconds) / 60),
                "priority": len(COSTS) - list(COSTS).index(data_set),
            }
    return {"output": str(output), "retries": retries, "jobs": jobs, "resources": resources}


def runs_of(plan: dict, job: str) -> list[Run]:
    """The runs of a job."""
    return [
        Run(run_of(number).experiment.shortened(epochs), run_of(number).seed)
        for number, epochs in plan["jobs"][job]
    ]


def make_job(path: Path, name: str, threads: int) -> bool:
    """Makes the missing runs of a job of the plan in a file; whether each is finished or has left its error.

    Another attempt at a job leaves out the runs that failed in this launch: they have had their attempts.
    """
    plan = json.loads(path.read_text(encoding="utf-8"))
    folder, runs = ResultsFolder(Path(plan["output"])), runs_of(plan, name)

    def has_ended(run: Run) -> bool:
        files = folder.run(run)
        return files.path.exists() or files.partial.error.exists()

    missing = [run for run in runs if not has_ended(run)]
    make_in_workers(StudyState(missing, folder, retries=plan["retries"]), threads)
    return all(map(has_ended, runs))


def main() -> int:
    streams.drop_what_cannot_be_written("stdout", "stderr")
    plan, name, threads = sys.argv[1:]
    try:
        return 0 if make_job(Path(plan), name, int(threads)) else 1
    except KeyboardInterrupt as stopped:
        return getattr(stopped, "exit_code", 130)


if __name__ == "__main__":
    sys.exit(main())
