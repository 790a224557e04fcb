# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study --status`: what a results folder has of a study, from its files alone."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vae_ortho_plugin.files.locks import Holder, holder_of
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import duration
from vae_ortho_plugin.study.run.state import Pace

_STEP = re.compile(r"step ([\d,]*\d) of ([\d,]*\d)")
# How far a log is read back for the last step; a line has less than 200 bytes.
_LOG_TAIL = 20_000


@dataclass
class Status:
    """The runs of a study by what their files say.

    Attributes:
        running: run -> the process that makes it.
        failed: run -> its last error, in a line.
        stopped: begun and not finished, without an error; the next call continues them.
    """

    finished: list[Run] = field(default_factory=list)
    running: dict[Run, Holder] = field(default_factory=dict)
    failed: dict[Run, str] = field(default_factory=dict)
    stopped: list[Run] = field(default_factory=list)
    waiting: list[Run] = field(default_factory=list)


def show(runs: Sequence[Run], folder: ResultsFolder) -> None:
    """Prints the numbers of runs that are finished, running, failed and waiting, and the time left."""
    status = status_of(runs, folder)
    print(
        f"{folder.path}: {len(status.finished)} of {len(runs)} runs finished, {len(status.running)} running, "
        f"{len(status.failed)} failed, {len(status.stopped)} begun, {len(status.waiting)} waiting"
    )
    if study := holder_of(folder.lock):
        print(f"study: {study} works here")
    for run, holder in status.running.items():
        print(f"running: {run}, {holder}{_step(folder, run)}")
    for run, error in status.failed.items():
        print(f"failed: {run}: {error}")
    rest = [*status.running, *status.failed, *status.stopped, *status.waiting]
    if rest and (left := Pace(status.finished, folder).of_all(rest)) is not None:
        text = f"left: {duration(left)} of computing in one worker"
        if (number := len(status.running)) > 1:
            text += f", about {duration(left / number)} with the {number} at work"
        print(text)


def status_of(runs: Sequence[Run], folder: ResultsFolder) -> Status:
    """The runs by what their files say."""
    status = Status()
    for run in runs:
        files = folder.run(run)
        if files.facts.is_file():
            status.finished.append(run)
        elif files.path.exists():
            status.failed[run] = f"{files.path} has no {files.facts.name}; move it away"
        elif holder := holder_of(files.lock):
            status.running[run] = holder
        elif (error := _first_line(files.partial.error)) is not None:
            status.failed[run] = error
        elif files.partial.path.exists():
            status.stopped.append(run)
        else:
            status.waiting.append(run)
    return status


def _first_line(path: Path) -> str | None:
    """The first line of a file that holds an error; None without a file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return lines[0] if lines else "unknown error"


def _step(folder: ResultsFolder, run: Run) -> str:
    """The last step that the run has printed."""
    try:
        with open(folder.log(run), "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
            found = _STEP.findall(log.read().decode(errors="replace"))
    except OSError:
        return ""
    return f", step {found[-1][0]} of {found[-1][1]}" if found else ""
