# SPDX-License-Identifier: Apache-2.0
"""What Slurm needs beyond Snakemake's plugin for it: jobs that outlived Snakemake, a working status command."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError

# Slurm kills a cancelled job 30 s after SIGTERM by default.
_END_SECONDS = 300.0
# Job ids in one call of scancel.
_MANY = 500


def job_prefix(output: Path) -> str:
    """What the names of a results folder's jobs begin with."""
    return f"vae_ortho_{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:12]}"


def cancel_leftover_jobs(prefix: str) -> int:
    """Cancels this user's jobs whose names begin with `prefix`, waits for their end, returns their number.

    They outlive a Snakemake that was killed, and would write what the next launch writes.

    Raises:
        InputError: Slurm does not answer, or the jobs do not end.
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
