# SPDX-License-Identifier: Apache-2.0
"""Which runs are done, running and waiting, and how long the rest takes."""

import collections
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.plan.experiments import Experiment, Run


@dataclass
class Failure:
    """A run that was not made, the error, and the log that has more of it."""

    run: Run
    error: str
    log: Path


@dataclass
class Progress:
    """State of a study's runs; times in seconds of a clock.

    Attributes:
        waiting: runs not begun.
        jobs: number of runs that are made at a time.
        running: run -> when it began.
        seconds: experiment -> how long its finished runs took.
        failures: runs that failed.
        done: number of runs that ended, with or without success.
    """

    waiting: collections.deque[Run]
    jobs: int
    running: dict[Run, float] = field(default_factory=dict)
    seconds: dict[Experiment, list[float]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    done: int = 0

    @property
    def total(self) -> int:
        return self.done + len(self.running) + len(self.waiting)

    def seconds_left(self, now: float) -> float | None:
        """Estimate from the finished runs, first of the same experiment; None before the first one."""
        overall = self._mean_seconds()
        if overall is None:
            return None
        rest = [self._rest(run, overall, now) for run in self.running]
        work = sum(rest) + sum(self._expected(run, overall) for run in self.waiting)
        return max(work / self.jobs, *rest, 0.0)

    def computing_left(self, runs: Iterable[Run], now: float) -> float | None:
        """Computing time, in seconds of one worker, that these unfinished runs still need.

        None before any run is finished.
        """
        overall = self._mean_seconds()
        return None if overall is None else sum(self._rest(run, overall, now) for run in runs)

    def _mean_seconds(self) -> float | None:
        finished = [took for experiment in self.seconds.values() for took in experiment]
        return statistics.mean(finished) if finished else None

    def _expected(self, run: Run, overall: float) -> float:
        return statistics.mean(self.seconds.get(run.experiment, [overall]))

    def _rest(self, run: Run, overall: float, now: float) -> float:
        return max(0.0, self._expected(run, overall) - (now - self.running.get(run, now)))

    def line(self, now: float) -> str:
        """Such as '3 of 40 runs done (1 failed), 12 min left'."""
        left = self.seconds_left(now)
        text = f"{self.done} of {self.total} runs done"
        if self.failures:
            text += f" ({len(self.failures)} failed)"
        return f"{text}, {'estimating the time left' if left is None else duration(left) + ' left'}"
