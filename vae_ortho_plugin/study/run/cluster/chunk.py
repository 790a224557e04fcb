# SPDX-License-Identifier: Apache-2.0
"""`python -m vae_ortho_plugin.study.run.cluster.chunk PLAN CHUNK THREADS`: a job of the cluster.

Makes the runs of a chunk that are missing, one after the other, in a worker process as `vae_ortho_study`
does on one machine. A run that fails does not stop the others, and its error stays in the results folder.
The exit status is 0 when every run of the chunk is finished or has failed, so that Snakemake tries a chunk again
only when its job was cut short, by a node that failed for example.
"""

import sys
from pathlib import Path

from vae_ortho_plugin.files import streams, write_text
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run.cluster.plan import read_plan
from vae_ortho_plugin.study.run.pool import make_in_workers
from vae_ortho_plugin.study.run.progress import Failure


def make_chunk(plan_file: Path, name: str, threads: int) -> bool:
    """Makes the missing runs of a chunk; whether each of its runs is finished or has left its error.

    Another attempt at a chunk leaves out the runs that failed in this launch: they have had their attempts.
    """
    plan = read_plan(plan_file)
    folder = ResultsFolder(plan.output)
    runs = [run for run in plan.chunks[name] if not _has_ended(run, folder)]
    for failure in make_in_workers(runs, folder, jobs=1, threads=threads, retries=plan.retries):
        _record(failure, folder)
    return all(_has_ended(run, folder) for run in runs)


def _has_ended(run: Run, folder: ResultsFolder) -> bool:
    files = folder.run(run)
    return files.directory.exists() or files.partial.error.exists()


def _record(failure: Failure, folder: ResultsFolder) -> None:
    """Leaves the error of a worker that could not do so itself, where the launcher looks for it."""
    partial = folder.run(failure.run).partial
    if partial.directory.exists() and not partial.error.exists():
        write_text(partial.error, failure.error)


def main() -> int:
    """Carries out the command line; returns the exit status."""
    streams.drop_what_cannot_be_written("stdout", "stderr")
    plan, name, threads = sys.argv[1:]
    try:
        return 0 if make_chunk(Path(plan), name, int(threads)) else 1
    except KeyboardInterrupt as stopped:
        return getattr(stopped, "exit_code", 130)


if __name__ == "__main__":
    sys.exit(main())
