# SPDX-License-Identifier: Apache-2.0
"""`python -m vae_ortho_plugin.study.run.cluster.job PLAN JOB THREADS`: a job of the cluster, on a node.

Makes its runs that are missing, one after the other, in a worker process as `vae_ortho_study` does on one
machine. A run that fails does not stop the others, and its error stays in the results folder. The exit status
is 0 when every run is finished or has failed, so that Snakemake tries a job again only when it was cut short,
by a node that failed for example.
"""

import sys
from pathlib import Path

from vae_ortho_plugin import streams
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run.cluster.jobs import read_launch
from vae_ortho_plugin.study.run.pool import make_in_workers
from vae_ortho_plugin.study.run.progress import Progress


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
    make_in_workers(Progress(list(runs), jobs=1), folder, threads, launch.retries)
    return all(map(has_ended, runs))


def main() -> int:
    """Carries out the command line; returns the exit status."""
    streams.drop_what_cannot_be_written("stdout", "stderr")
    plan, name, threads = sys.argv[1:]
    try:
        return 0 if make_job(Path(plan), name, int(threads)) else 1
    except KeyboardInterrupt as stopped:
        return getattr(stopped, "exit_code", 130)


if __name__ == "__main__":
    sys.exit(main())
