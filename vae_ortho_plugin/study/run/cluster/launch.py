# SPDX-License-Identifier: Apache-2.0
"""Has Snakemake make the missing runs of a study, and shows from the results folder how far they are."""

import contextlib
import importlib.util
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report.finished import read_json
from vae_ortho_plugin.study.run.cluster.jobs import launch_of
from vae_ortho_plugin.study.run.state import Failure, StudyState
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


def make_on_cluster(
    state: StudyState,
    folder: ResultsFolder,
    options: Sequence[str],
    retries: int = 0,
    time_limit: float | None = None,
) -> bool:
    """Has Snakemake make runs in its jobs; returns whether all of them were tried within the time limit.

    Args:
        state: has the runs in the order in which they are to be made; notes those that are finished or
            fail.
        folder: the results folder, on a file system that the nodes share.
        options: for Snakemake, such as `--executor slurm --jobs 50`.
        retries: further attempts of a job at a run that failed.
        time_limit: seconds after which the jobs are cancelled; None: no limit.

    Raises:
        InputError: Snakemake is not installed, or it ended before it made or tried a run.
    """
    _check_installed()
    directory = begin_launch(state.waiting, folder, retries)
    with state.shown():
        status = _run_snakemake(state, folder, directory, options, time_limit)
    if status is None:
        return False
    untried = [*state.running, *state.waiting]
    if status != 0 and len(untried) == state.total:
        lines = folder.snakemake_log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(lines[-_LOG_LINES:])
        raise InputError(f"Snakemake made no run. Its log {folder.snakemake_log} ends:\n{tail}")
    error = f"its job did not finish it; see {folder.snakemake_log}"
    state.failures += [Failure(run, error, folder.log(run)) for run in untried]
    return True


def _check_installed() -> None:
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


def begin_launch(runs: Sequence[Run], folder: ResultsFolder, retries: int) -> Path:
    """Writes the jobs of a launch into a directory of its own, and forgets the runs' errors of earlier ones.

    Of the directories of earlier launches the last one stays, because its jobs may still be ending.
    """
    earlier = sorted(int(path.name) for path in folder.launches.glob("[0-9]*"))
    for number in earlier[:-1]:
        shutil.rmtree(folder.launches / str(number), ignore_errors=True)
    directory = folder.launches / str(earlier[-1] + 1 if earlier else 1)
    launch = launch_of(runs, folder.path, retries)
    launch.write(directory / "plan.json")
    folder.logs.mkdir(parents=True, exist_ok=True)
    for run in runs:
        folder.run(run).partial.error.unlink(missing_ok=True)
    print(f"{len(launch.jobs)} jobs for Snakemake, whose log is {folder.snakemake_log}", flush=True)
    return directory


def _run_snakemake(
    state: StudyState,
    folder: ResultsFolder,
    directory: Path,
    options: Sequence[str],
    time_limit: float | None,
) -> int | None:
    """Runs Snakemake to its end and looks at the runs; returns its exit status, None at the time limit."""
    begun = time.monotonic()
    end = math.inf if time_limit is None else begun + time_limit
    module = "vae_ortho_plugin.study.run.cluster.submission"
    with open(folder.snakemake_log, "a", encoding="utf-8") as log:
        print(f"\n{time.ctime()}, {directory}:", file=log, flush=True)
        snakemake = subprocess.Popen(
            [sys.executable, "-m", module, folder.path, directory, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which then interrupts Snakemake once.
            start_new_session=True,
        )
    try:
        while snakemake.poll() is None:
            if (now := time.monotonic()) > end:
                _interrupt(snakemake)
                break
            look(state, folder, begun)
            pause = max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - now))
            if state.report_is_due():
                state.say_of_report(state.report.renew())
            with contextlib.suppress(subprocess.TimeoutExpired):
                snakemake.wait(min(pause, max(0.0, end - time.monotonic())))
    except BaseException:
        _interrupt(snakemake)
        raise
    look(state, folder, begun)
    unfinished = state.failures or state.running or state.waiting
    return None if time.monotonic() > end and unfinished else snakemake.returncode


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


def look(state: StudyState, folder: ResultsFolder, begun: float) -> None:
    """Shows what has changed in a results folder.

    Args:
        state: what was shown before.
        folder: the results folder.
        begun: when the launch began.
    """
    failed = {failure.run: failure for failure in state.failures}
    status = status_of([*failed, *state.running, *state.waiting], folder)
    now = time.monotonic()
    state.running = {run: state.running.get(run, now) for run in status.running}
    state.waiting = [*status.stopped, *status.waiting]
    state.failures = [failed[run] for run in status.failed if run in failed]
    for run in status.finished:
        state.finish(run, read_json(folder.run(run).facts).get("seconds", 0.0))
        # As many as were made at a time, the time in the queue included.
        state.jobs = max(1, round(state.computed / max(now - begun, 1.0)))
    for run in status.failed.keys() - failed:
        state.fail(Failure(run, status.failed[run], folder.log(run)))
    state.update()
