# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study --status`: what a results folder has of a study, from its files alone."""

import json
import re
import statistics
from collections.abc import Sequence

from vae_ortho_plugin.study.durations import duration
from vae_ortho_plugin.study.experiments import Experiment, Run
from vae_ortho_plugin.study.layout import ResultsFolder, RunFiles

_STEP = re.compile(r"step ([\d,]*\d) of ([\d,]*\d)")


def show(runs: Sequence[Run], folder: ResultsFolder) -> None:
    """Prints the numbers of runs that are finished, running, failed and waiting, and the time left."""
    finished, running, failed, begun, waiting = [], [], [], [], []
    for run in runs:
        files = folder.run(run)
        if files.directory.exists():
            finished.append(run)
        elif files.lock.exists():
            running.append(run)
        elif files.partial.error.exists():
            failed.append(run)
        elif files.partial.directory.exists():
            begun.append(run)
        else:
            waiting.append(run)
    print(
        f"{folder.path}: {len(finished)} of {len(runs)} runs finished, {len(running)} running, "
        f"{len(failed)} failed, {len(begun)} begun, {len(waiting)} waiting"
    )
    for run in running:
        print(f"running: {run}{_holder(folder.run(run))}{_step(folder, run)}")
    for run in failed:
        print(f"failed: {run}: {folder.run(run).partial.error.read_text().splitlines()[0]}")
    left = _computing_left(finished, [*running, *failed, *begun, *waiting], folder)
    if left is not None:
        print(f"left: {duration(left)} of computing in one worker")


def _holder(files: RunFiles) -> str:
    try:
        process, host, *_ = files.lock.read_text().splitlines()
    except (OSError, ValueError):
        return ""
    return f", process {process} on {host}"


def _step(folder: ResultsFolder, run: Run) -> str:
    """The last step that the run has printed."""
    try:
        found = _STEP.findall(folder.log(run).read_text(errors="replace"))
    except OSError:
        return ""
    return f", step {found[-1][0]} of {found[-1][1]}" if found else ""


def _computing_left(
    finished: Sequence[Run], rest: Sequence[Run], folder: ResultsFolder
) -> float | None:
    """Seconds by the finished runs, first of the same experiment; None without any."""
    seconds: dict[Experiment, list[float]] = {}
    for run in finished:
        facts = json.loads(folder.run(run).facts.read_text())
        seconds.setdefault(run.experiment, []).append(facts["seconds"])
    if not seconds or not rest:
        return None
    overall = statistics.mean(value for values in seconds.values() for value in values)
    return sum(statistics.mean(seconds.get(run.experiment, [overall])) for run in rest)
