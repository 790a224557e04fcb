# SPDX-License-Identifier: Apache-2.0
"""`python -m vae_ortho_plugin.study.run.cluster.submission OUTPUT DIRECTORY OPTION …`: Snakemake with the user's options, and those it needs.

A process of its own, started by `launch`. It holds a lock as long as it lives, since it may outlive a
launcher that was killed; it then ends within seconds and cancels its jobs.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams
from vae_ortho_plugin.files.locks import LEASE_SECONDS, locked
from vae_ortho_plugin.study.plan.layout import ResultsFolder

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
# Slurm kills a cancelled job 30 s after SIGTERM by default.
_END_SECONDS = 300.0
# Job ids in one call of scancel.
_MANY = 500


def main() -> int:
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
        prefix = job_prefix(folder.path)
        if cancelled := cancel_leftover_jobs(prefix):
            print(f"Cancelled {cancelled} jobs of an earlier launch.", flush=True)
        own += ["--max-status-checks-per-second", "1"]
        plan = json.loads((directory / "plan.json").read_text(encoding="utf-8"))
        own += slurm_options(parsed, len(plan["jobs"]))
        own += [f"--slurm-jobname-prefix={prefix}"]
    try:
        cli.main([*options, *snakefile, *own])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def slurm_options(parsed: argparse.Namespace, jobs: int) -> list[str]:
    """Options that Snakemake's Slurm plugin needs besides the user's, to submit so many jobs.

    In `parsed`, an option that is not given is neither a string nor a number.
    """
    # After this many failed questions for the jobs' states, 5 by default, the plugin forgets its jobs and waits
    # for ever: outages of Slurm's controller are longer.
    added = [f"--slurm-status-attempts={_STATUS_ATTEMPTS}"]
    # Where there is a program sacct, the plugin asks it, also when it has no data base and cannot answer.
    if parsed.slurm_status_command != "squeue" and not accounting_answers():
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


def job_prefix(output: Path) -> str:
    """What the names of a results folder's jobs begin with."""
    return f"vae_ortho_{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:12]}"


def cancel_leftover_jobs(prefix: str) -> int:
    """Cancels this user's jobs whose names begin with `prefix`, waits for their end, returns their number.

    They outlive a Snakemake that was killed, and would write what the next launch writes.
    """
    leftover = jobs = _jobs(prefix)
    for first in range(0, len(jobs), _MANY):
        _slurm("scancel", *jobs[first : first + _MANY])
    deadline = time.monotonic() + _END_SECONDS
    while jobs:
        if time.monotonic() > deadline:
            raise InputError(
                f"Jobs of an earlier launch do not end: {', '.join(jobs)}. "
                "Start again when squeue does not list them any more."
            )
        time.sleep(1)
        jobs = _jobs(prefix)
    return len(leftover)


def _jobs(prefix: str) -> Sequence[str]:
    """Ids of the unfinished jobs, those of arrays once."""
    lines = _slurm("squeue", "--noheader", f"--user={os.getuid()}", "--format=%F|%j").splitlines()
    pairs = (line.partition("|") for line in lines)
    return sorted({job.strip() for job, _, name in pairs if name.strip().startswith(prefix)})


def accounting_answers() -> bool:
    """Whether sacct can say what became of a job; without a data base it cannot."""
    if shutil.which("sacct") is None:
        return False
    return subprocess.run(["sacct", "--noheader"], check=False, capture_output=True).returncode == 0


def _slurm(*command: str) -> str:
    try:
        process = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError(
            f"There is no {command[0]} on this machine. Start the study on a login node of the cluster."
        ) from None
    if process.returncode:
        raise InputError(f"{command[0]} failed: {process.stderr.strip()}")
    return process.stdout


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
