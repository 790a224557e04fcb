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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_ortho_plugin.files import streams, write_text
from vae_ortho_plugin.study.plan.experiments import Run, run_of
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import COSTS, expected_seconds
from vae_ortho_plugin.study.run.pool import make_in_workers
from vae_ortho_plugin.study.run.state import StudyState

# A job of Slurm costs some 10 s besides its runs, and 20 s to start TensorFlow.
JOB_SECONDS = 15 * 60
# Nodes differ, and a run that reaches the limit is resumed.
_LIMIT_FACTOR = 3
_LIMIT_MINUTES = 15


@dataclass(frozen=True)
class Launch:
    """One call of `vae_ortho_study --snakemake`.

    Attributes:
        output: the results folder, absolute.
        retries: further attempts of a job at a run that failed.
        jobs: name, such as 'synth_linear-3' -> runs.
        resources: data set -> what its jobs ask for: 'threads' (cores), 'memory' (MB), 'minutes' (limit of
            time), 'priority' (jobs with a higher one start first). They are the same for all jobs of a data
            set, since Slurm gives those of the first job to all jobs of an array.
    """

    output: Path
    retries: int
    jobs: Mapping[str, Sequence[Run]]
    resources: Mapping[str, Mapping[str, int]]

    def write(self, path: Path) -> None:
        """Writes the file that `read_launch` and the Snakefile read."""
        content = {
            "output": str(self.output),
            "retries": self.retries,
            "chunks": {
                name: [[run.model_num, run.shortened_to] for run in runs]
                for name, runs in self.jobs.items()
            },
            "resources": self.resources,
        }
        write_text(path, json.dumps(content))


def read_launch(path: Path) -> Launch:
    """The launch in a file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    jobs = {name: [_run(*run) for run in runs] for name, runs in content["chunks"].items()}
    return Launch(Path(content["output"]), content["retries"], jobs, content["resources"])


def _run(model_num: int, epochs: int | None) -> Run:
    run = run_of(model_num)
    return Run(run.experiment.shortened(epochs), run.seed)


def launch_of(runs: Sequence[Run], output: Path, retries: int) -> Launch:
    """Divides runs into jobs of one data set and of about JOB_SECONDS; long runs have their own.

    Args:
        runs: in the order in which they are to be made.
        output: the results folder.
        retries: further attempts of a job at a run that failed.
    """
    jobs: dict[str, list[Run]] = {}
    resources = {}
    for data_set, cost in COSTS.items():
        own = [run for run in runs if run.data_set == data_set]
        seconds: list[float] = []  # of each job
        for run in own:
            if not seconds or seconds[-1] >= JOB_SECONDS:
                jobs[f"{data_set}-{len(seconds)}"] = []
                seconds.append(0.0)
            jobs[f"{data_set}-{len(seconds) - 1}"].append(run)
            seconds[-1] += expected_seconds(run.experiment, cost.threads)
        if own:
            resources[data_set] = {
                "threads": cost.threads,
                "memory": cost.memory,
                "minutes": math.ceil(_LIMIT_MINUTES + _LIMIT_FACTOR * max(seconds) / 60),
                "priority": len(COSTS) - list(COSTS).index(data_set),
            }
    return Launch(output, retries, jobs, resources)


def make_job(plan: Path, name: str, threads: int) -> bool:
    """Makes the missing runs of a job; whether each of its runs is finished or has left its error.

    Another attempt at a job leaves out the runs that failed in this launch: they have had their attempts.
    """
    launch = read_launch(plan)
    folder = ResultsFolder(launch.output)

    def has_ended(run: Run) -> bool:
        files = folder.run(run)
        return files.directory.exists() or files.partial.error.exists()

    runs = [run for run in launch.jobs[name] if not has_ended(run)]
    make_in_workers(StudyState(runs, jobs=1), folder, threads, launch.retries)
    return all(map(has_ended, runs))


def main() -> int:
    """Does what the command line asks for; returns the exit status."""
    streams.drop_what_cannot_be_written("stdout", "stderr")
    plan, name, threads = sys.argv[1:]
    try:
        return 0 if make_job(Path(plan), name, int(threads)) else 1
    except KeyboardInterrupt as stopped:
        return getattr(stopped, "exit_code", 130)


if __name__ == "__main__":
    sys.exit(main())
