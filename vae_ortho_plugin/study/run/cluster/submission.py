# SPDX-License-Identifier: Apache-2.0
"""`python -m vae_ortho_plugin.study.run.cluster.submission OUTPUT DIRECTORY OPTION …`: Snakemake with the user's options, and those it needs.

A process of its own, started by `launch`. It holds a lock as long as it lives, since it may outlive a
launcher that was killed; it then ends within seconds and cancels its jobs.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams
from vae_ortho_plugin.files.locks import LEASE_SECONDS, locked
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run.cluster import slurm
from vae_ortho_plugin.study.run.cluster.jobs import read_launch

SNAKEFILE = Path(__file__).with_name("Snakefile")
# Of a job whose node failed or whose time ran out; runs are retried within their job.
_RETRIES = 2
# One a second at most.
_STATUS_ATTEMPTS = 1_000_000
# Jobs in an array. The plugin hands the commands of all jobs, 1.7 kB each, to each job in one argument. Linux
# takes 128 kB, and beyond that the plugin makes all jobs of the array do the first one's work.
ARRAY_LIMIT = 30
# Seconds that a shared file system may hide a new file.
_LATENCY_WAIT = 60


def main() -> int:
    """Does what the command line asks for; returns the exit status."""
    streams.drop_what_cannot_be_written("stdout", "stderr")
    output, directory, *options = sys.argv[1:]
    folder = ResultsFolder(Path(output))
    # Ignored by what a shell script starts in the background; the launcher and `_end_with_parent` send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_with_parent()
    try:
        with locked(folder.snakemake_lock, f"the jobs of {output}", timeout=LEASE_SECONDS + 60):
            return _snakemake(folder, Path(directory), options)
    except InputError as error:
        print(f"error: {error}", flush=True)
        return 2


def _snakemake(folder: ResultsFolder, directory: Path, options: Sequence[str]) -> int:
    # Late, because the other modules do without Snakemake.
    from snakemake import cli

    snakefile = ("--snakefile", str(SNAKEFILE))
    # Those of a profile included.
    parser, parsed = cli.parse_args([*options, *snakefile])
    if parsed.dryrun:
        raise InputError(
            "Snakemake's --dry-run makes no run. `vae_ortho_study --list` lists the runs."
        )
    # `--nolock`, because Snakemake's own lock outlives a killed process; ours is held.
    own = ["--nolock", "--rerun-incomplete", "--keep-going", "--directory", str(directory)]
    if parsed.retries == parser.get_default("retries"):
        own += ["--retries", str(_RETRIES)]
    if parsed.latency_wait == parser.get_default("latency_wait"):
        own += ["--latency-wait", str(_LATENCY_WAIT)]
    if parsed.executor == "slurm":
        prefix = slurm.job_prefix(folder.path)
        cancelled = slurm.cancel_leftover_jobs(prefix)
        if cancelled:
            print(f"Cancelled {cancelled} jobs of an earlier launch.", flush=True)
        own += ["--max-status-checks-per-second", "1"]
        own += slurm_options(parsed, len(read_launch(directory / "plan.json").jobs))
        own += [f"--slurm-jobname-prefix={prefix}"]
    try:
        cli.main([*options, *snakefile, *own])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def slurm_options(parsed: argparse.Namespace, jobs: int) -> list[str]:
    """Options of Snakemake's Slurm plugin that are needed besides the user's.

    Args:
        parsed: the user's; those that are not given are neither strings nor numbers.
        jobs: number of those to submit.

    Raises:
        InputError: the user's options would make the plugin wait for ever.
    """
    # After this many failed questions for the jobs' states, 5 by default, the plugin forgets its jobs and waits
    # for ever: outages of Slurm's controller are longer.
    added = [f"--slurm-status-attempts={_STATUS_ATTEMPTS}"]
    # Where there is a program sacct, the plugin asks it, also when it has no data base and cannot answer.
    if parsed.slurm_status_command != "squeue" and not slurm.accounting_answers():
        added.append("--slurm-status-command=squeue")
    # With fewer jobs at a time than there are, the plugin waits for ever for an array to be complete.
    all_at_once = parsed.jobs is not None and parsed.jobs >= jobs
    arrays = isinstance(parsed.slurm_array_jobs, str)
    if arrays and not all_at_once:
        raise InputError(
            f"--slurm-array-jobs needs --jobs {jobs} or more, or --jobs unlimited, since Snakemake's "
            "plugin makes arrays of jobs that are submitted at once. Leave it out for fewer jobs at a time."
        )
    if all_at_once and not arrays:
        added.append("--slurm-array-jobs=all")
    if all_at_once and not isinstance(parsed.slurm_array_limit, int):
        added.append(f"--slurm-array-limit={ARRAY_LIMIT}")
    return added


def _end_with_parent() -> None:
    """Interrupts this process and its children when the launcher is gone; Snakemake then cancels its jobs."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
