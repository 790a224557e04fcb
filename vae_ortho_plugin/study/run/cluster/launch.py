# SPDX-License-Identifier: Apache-2.0
"""Has Snakemake make the missing runs of a study, and shows from the results folder how far they are."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import write_text
from vae_ortho_plugin.study.report.finished import read_json
from vae_ortho_plugin.study.run.cluster.jobs import plan_of_launch
from vae_ortho_plugin.study.run.state import StudyState
from vae_ortho_plugin.study.run.status import status_of

# Snakemake 9 has no release for earlier ones.
PYTHON = (3, 11)
NEEDED = ("snakemake", "snakemake_executor_plugin_slurm")
_LOOK_SECONDS = 5.0
# A look at thousands of runs on a shared file system takes seconds; most of the time it is left alone.
_LOOK_SHARE = 20.0
# For Snakemake to cancel its jobs, and for those on this machine to write checkpoints.
_END_SECONDS = 120.0
_LOG_LINES = 15


def make_on_cluster(state: StudyState, options: Sequence[str]) -> bool:
    """As `pool.make_in_workers`, by jobs of Snakemake with these options, on nodes that share the folder.

    Raises:
        InputError: Snakemake is not installed, or it ended before it made or tried a run.
    """
    if sys.version_info < PYTHON:
        raise InputError(
            f"--snakemake needs Python 3.11 or later; this is {sys.version.split()[0]}. Make an "
            "environment with a later one, and install there: pip install '.[cluster]'."
        )
    for module in NEEDED:
        if importlib.util.find_spec(module) is None:
            raise InputError(
                f"--snakemake needs {module}, which is not installed. In this package's source directory: "
                "pip install '.[cluster]'."
            )
    folder = state.folder
    directory = begin_launch(state)
    with state.shown():
        status = _run_snakemake(state, directory, options)
    if status is None:
        return False
    untried = [*state.running, *state.waiting]
    if status != 0 and len(untried) == state.total:
        lines = folder.snakemake_log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(lines[-_LOG_LINES:])
        raise InputError(f"Snakemake made no run. Its log {folder.snakemake_log} ends:\n{tail}")
    error = f"its job did not finish it; see {folder.snakemake_log}"
    state.failures |= dict.fromkeys(untried, error)
    return True


def begin_launch(state: StudyState) -> Path:
    """Writes the jobs of a launch into a directory of its own, and forgets the runs' errors of earlier ones.

    Of the directories of earlier launches the last one stays, because its jobs may still be ending.
    """
    folder, runs = state.folder, state.waiting
    names = (path.name for path in folder.launches.glob("*"))
    earlier = sorted(int(name) for name in names if name.isdecimal())
    for number in earlier[:-1]:
        shutil.rmtree(folder.launches / str(number), ignore_errors=True)
    directory = folder.launches / str(earlier[-1] + 1 if earlier else 1)
    plan = plan_of_launch(runs, folder.path, state.retries)
    write_text(directory / "plan.json", json.dumps(plan))
    folder.logs.mkdir(parents=True, exist_ok=True)
    for run in runs:
        folder.run(run).partial.error.unlink(missing_ok=True)
    print(
        f"{len(plan['jobs'])} jobs for Snakemake, whose log is {folder.snakemake_log}", flush=True
    )
    return directory


def _run_snakemake(state: StudyState, directory: Path, options: Sequence[str]) -> int | None:
    """Runs Snakemake to its end and looks at the runs; returns its exit status, None at the time limit."""
    begun = time.monotonic()
    module = "vae_ortho_plugin.study.run.cluster.submission"
    with open(state.folder.snakemake_log, "a", encoding="utf-8") as log:
        print(f"\n{time.ctime()}, {directory}:", file=log, flush=True)
        snakemake = subprocess.Popen(
            [sys.executable, "-m", module, state.folder.path, directory, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which then interrupts Snakemake once.
            start_new_session=True,
        )
    try:
        while snakemake.poll() is None and (now := time.monotonic()) <= state.end:
            look(state, begun)
            pause = max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - now))
            if state.report_is_due():
                state.say_of_report(state.renew_report())
            with contextlib.suppress(subprocess.TimeoutExpired):
                snakemake.wait(min(pause, max(0.0, state.end - time.monotonic())))
    finally:
        if snakemake.returncode is None:
            _interrupt(snakemake)
    look(state, begun)
    unfinished = state.failures or state.running or state.waiting
    return None if time.monotonic() > state.end and unfinished else snakemake.returncode


def _interrupt(snakemake: subprocess.Popen) -> None:
    """Ends Snakemake, which cancels its jobs on SIGINT; on SIGTERM it would wait for them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(snakemake.pid, signal.SIGINT)
        try:
            snakemake.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # Such as without an answer of Slurm. The next launch cancels the jobs.
            os.killpg(snakemake.pid, signal.SIGKILL)
            snakemake.wait()


def look(state: StudyState, begun: float) -> None:
    """Shows what has changed in the results folder since the last look, in a launch that began at `begun`."""
    failed = state.failures
    status = status_of([*failed, *state.running, *state.waiting], state.folder)
    now = time.monotonic()
    state.running = {run: state.running.get(run, now) for run in status.running}
    state.waiting = [*status.stopped, *status.waiting]
    state.failures = {run: failed[run] for run in status.failed if run in failed}
    for run in status.finished:
        state.finish(run, read_json(state.folder.run(run).facts).get("seconds", 0.0))
        # As many as were made at a time, the time in the queue included.
        state.jobs = max(1, round(state.computed / max(now - begun, 1.0)))
    for run in status.failed.keys() - failed.keys():
        state.fail(run, status.failed[run])
    state.update()
