# SPDX-License-Identifier: Apache-2.0
"""Has Snakemake make the missing runs of a study, and shows from the results folder how far they are."""

import collections
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

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run.cluster.plan import Launch, plan_of
from vae_ortho_plugin.study.run.cluster.watch import Watch
from vae_ortho_plugin.study.run.display import shown
from vae_ortho_plugin.study.run.pool import TimeLimitReached
from vae_ortho_plugin.study.run.progress import Failure, Progress

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
    runs: Sequence[Run],
    folder: ResultsFolder,
    options: Sequence[str],
    retries: int = 0,
    time_limit: float | None = None,
) -> list[Failure]:
    """Has Snakemake make `runs` in its jobs; returns those that were not made.

    Args:
        runs: the missing ones, in the order in which they are to be made.
        folder: the results folder, on a file system that the nodes share.
        options: for Snakemake, such as `--executor slurm --jobs 50`.
        retries: further attempts of a job at a run that failed.
        time_limit: seconds after which the jobs are cancelled; None: no limit.

    Raises:
        InputError: Snakemake is not installed, or it ended before it made or tried a run.
        TimeLimitReached: the time limit passed.
    """
    _check_installed()
    launch = begin_launch(runs, folder, retries)
    progress = Progress(collections.deque(runs), jobs=1)
    with shown(progress) as display:
        watch = Watch(runs, folder, progress, display)
        ended = _run_engine(folder, launch, options, watch, time_limit)
    if ended is None:
        raise TimeLimitReached(progress.failures)
    failed = {failure.run for failure in progress.failures}
    untried = [run for run in watch.missing if run not in failed]
    if ended != 0 and len(untried) == len(runs):
        raise InputError(
            f"Snakemake made no run. Its log {folder.engine_log} ends:\n{_tail(folder)}"
        )
    error = f"its job did not finish it; see {folder.engine_log}"
    return [*progress.failures, *(Failure(run, error, folder.log(run)) for run in untried)]


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


def begin_launch(runs: Sequence[Run], folder: ResultsFolder, retries: int) -> Launch:
    """Writes the plan of a launch in a directory of its own, and forgets the runs' errors of earlier ones.

    Of the directories of earlier launches the last one stays, because its jobs may still be ending.
    """
    earlier = sorted(int(path.name) for path in folder.launches.glob("[0-9]*"))
    for number in earlier[:-1]:
        shutil.rmtree(folder.launches / str(number), ignore_errors=True)
    launch = Launch(folder.launches / str(earlier[-1] + 1 if earlier else 1))
    plan = plan_of(runs, folder.path, retries)
    plan.write(launch.plan)
    folder.logs.mkdir(parents=True, exist_ok=True)
    for run in runs:
        folder.run(run).partial.error.unlink(missing_ok=True)
    print(f"{len(plan.chunks)} jobs for Snakemake, whose log is {folder.engine_log}", flush=True)
    return launch


def _run_engine(
    folder: ResultsFolder,
    launch: Launch,
    options: Sequence[str],
    watch: Watch,
    time_limit: float | None,
) -> int | None:
    """Runs the engine to its end while `watch` looks; returns its exit status, None at the time limit."""
    end = math.inf if time_limit is None else time.monotonic() + time_limit
    module = "vae_ortho_plugin.study.run.cluster.engine"
    with open(folder.engine_log, "a", encoding="utf-8") as log:
        print(f"\n{time.ctime()}, {launch.directory}:", file=log, flush=True)
        engine = subprocess.Popen(
            [sys.executable, "-m", module, folder.path, launch.directory, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which then interrupts the engine once.
            start_new_session=True,
        )
    try:
        while engine.poll() is None:
            begun = time.monotonic()
            if begun > end:
                _interrupt(engine)
                break
            watch.look()
            pause = max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - begun))
            with contextlib.suppress(subprocess.TimeoutExpired):
                engine.wait(min(pause, max(0.0, end - time.monotonic())))
    except BaseException:
        _interrupt(engine)
        raise
    watch.look()
    return None if time.monotonic() > end and watch.missing else engine.returncode


def _interrupt(engine: subprocess.Popen) -> None:
    """Ends the engine, which cancels its jobs on SIGINT; on SIGTERM it would wait for them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(engine.pid, signal.SIGINT)
        try:
            engine.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # Such as without an answer of Slurm. The next launch cancels the jobs.
            os.killpg(engine.pid, signal.SIGKILL)
            engine.wait()


def _tail(folder: ResultsFolder) -> str:
    lines = folder.engine_log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
