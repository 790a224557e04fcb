# SPDX-License-Identifier: Apache-2.0
"""Sees from the results folder how far the runs of a launch are, wherever they are made."""

import collections
import time
from collections.abc import Sequence

from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report.finished import read_json
from vae_ortho_plugin.study.run.display import Display
from vae_ortho_plugin.study.run.progress import Failure, Progress
from vae_ortho_plugin.study.run.status import status_of


class Watch:
    """Keeps a `Progress` and its display up to date with a results folder.

    Attributes:
        missing: the runs that are not finished.
    """

    def __init__(
        self, runs: Sequence[Run], folder: ResultsFolder, progress: Progress, display: Display
    ):
        self.missing = list(runs)
        self._folder = folder
        self._progress = progress
        self._display = display
        self._total = len(runs)
        self._begun = time.monotonic()
        self._computed = 0.0  # seconds of all finished runs

    def look(self) -> None:
        """Shows what is new."""
        progress, now = self._progress, time.monotonic()
        status = status_of(self.missing, self._folder)
        finished = set(status.finished)
        self.missing = [run for run in self.missing if run not in finished]
        known = {failure.run for failure in progress.failures}
        progress.failures = [
            Failure(run, error, self._folder.log(run)) for run, error in status.failed.items()
        ]
        progress.running = {run: progress.running.get(run, now) for run in status.running}
        progress.waiting = collections.deque([*status.stopped, *status.waiting])
        progress.done = self._total - len(progress.running) - len(progress.waiting)
        for run in status.finished:
            self._count(run, now)
        for failure in progress.failures:
            if failure.run not in known:
                self._display.line(f"{failure.run}: FAILED, {failure.error} ({failure.log})")
        self._display.update()

    def _count(self, run: Run, now: float) -> None:
        seconds = read_json(self._folder.run(run).facts).get("seconds", 0.0)
        self._computed += seconds
        self._progress.seconds.setdefault(run.experiment, []).append(seconds)
        # As many as were made at a time, the time in the queue included.
        self._progress.jobs = max(1, round(self._computed / max(now - self._begun, 1.0)))
        self._display.line(f"{run}: {duration(seconds)}")
