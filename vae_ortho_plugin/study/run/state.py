# SPDX-License-Identifier: Apache-2.0
"""How far a study is: a live table in a terminal, plain lines elsewhere, and a report after each round."""

import contextlib
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import duration, expected_seconds
from vae_ortho_plugin.study.report.finished import read_json

# Lines of a terminal besides the table's rows: its heading, the bar, the runs at work, a line above.
_OTHER_LINES = 8
# Finished runs of an experiment that are read for the time of the others.
_RUNS_FOR_TIME = 5
# Reports take at most this share of a study's time, the first one excepted.
_REPORT_SHARE = 0.05


class Pace:
    """How long runs take on this machine, by those that are finished; `seconds` has their times by experiment."""

    def __init__(self, finished: Iterable[Run] = (), folder: ResultsFolder | None = None):
        """Reads the time of some finished runs of each experiment in a results folder."""
        self.seconds: dict[Experiment, list[float]] = {}
        for run in finished:
            if len(self.seconds.get(run.experiment, ())) < _RUNS_FOR_TIME:
                took = read_json(folder.run(run).facts).get("seconds")
                if took is not None:
                    self.add(run, took)

    def add(self, run: Run, seconds: float) -> None:
        self.seconds.setdefault(run.experiment, []).append(seconds)

    def of(self, run: Run) -> float | None:
        """Seconds that a run should take; None before any run is finished.

        The mean of its experiment's runs, else what the schedule expects, corrected by all finished runs.
        """
        if run.experiment in self.seconds:
            return statistics.mean(self.seconds[run.experiment])
        if not self.seconds:
            return None
        took = sum(map(sum, self.seconds.values()))
        expected = sum(expected_seconds(one) * len(all_) for one, all_ in self.seconds.items())
        return expected_seconds(run.experiment) * took / expected

    def of_all(self, runs: Iterable[Run]) -> float | None:
        """Seconds that runs should take one after the other; None before any run is finished."""
        return sum(map(self.of, runs)) if self.seconds else None


@dataclass
class StudyState:
    """A study's runs and all that is needed to make them; `shown` shows it. Times in seconds of `time.monotonic`.

    Attributes:
        waiting: runs not begun, in the order in which they are to be made.
        jobs: number of runs that are made at a time.
        retries: further attempts at a run that failed, unless the user must fix the error.
        end: when to stop.
        write_report: is called after each round of seeds.
        running: run -> when it began.
        finished: experiment -> number of its runs that were finished.
        computed: seconds that they took.
        failures: run that failed -> its error.
        report_is_named: whether the terminal has named the report.
    """

    waiting: list[Run]
    folder: ResultsFolder
    jobs: int = 1
    retries: int = 0
    end: float = math.inf
    write_report: Callable[[], object] | None = None
    pace: Pace = field(default_factory=Pace)
    running: dict[Run, float] = field(default_factory=dict)
    finished: Counter[Experiment] = field(default_factory=Counter)
    computed: float = 0.0
    failures: dict[Run, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = len(self.waiting) + len(self.running)
        self._live: Live | None = None
        self._estimated = bool(self.pace.seconds)
        self._begun = time.monotonic()
        self._reported = self._round()
        self._last_report = self._of_reports = 0.0  # seconds
        self.report_is_named = False

    @property
    def done(self) -> int:
        """Number of runs that ended, failed ones too."""
        return self.total - len(self.running) - len(self.waiting)

    def finish(self, run: Run, seconds: float) -> None:
        """Takes note of a finished run that is neither running nor waiting any more."""
        self.pace.add(run, seconds)
        self.finished[run.experiment] += 1
        self.computed += seconds
        self.say(f"{run}: {duration(seconds)}")
        if not self._estimated and self.jobs <= self.done < self.total:
            self._estimated = True
            self.say(f"first estimate, {self.jobs} at a time")

    def fail(self, run: Run, error: str) -> None:
        """Takes note of a run that failed and is neither running nor waiting any more."""
        self.failures[run] = error
        self.say(f"{run}: FAILED, {error} ({self.folder.log(run)})")

    def report_is_due(self) -> bool:
        """Whether a round of seeds has ended since the last report; the answer yes is given once.

        It is not given before another report leaves the study nearly all of its time.
        """
        last, now = self._reported, self._round()
        if self.write_report is None or last is None or now is None or now <= last:
            return False
        share = _REPORT_SHARE * (time.monotonic() - self._begun)
        if self._last_report and self._of_reports + self._last_report > share:
            return False
        self._reported = now
        return True

    def renew_report(self) -> str | None:
        """Writes the report anew while runs are made; returns the error, if any."""
        begun = time.monotonic()
        try:
            self.write_report()
        except Exception as error:  # noqa: BLE001  no report is worth a study
            return str(error) or type(error).__name__
        self._last_report = time.monotonic() - begun
        self._of_reports += self._last_report
        return None

    def say_of_report(self, error: str | None) -> None:
        """Names the report when it was written first, or says why it cannot be written."""
        page = self.folder.report_page
        if error is not None:
            self.say(f"the report cannot be written: {error}")
        elif not self.report_is_named:
            self.report_is_named = True
            self.say(f"report, written anew after each round of seeds: {page}")

    def _round(self) -> int | None:
        """The least seed of the runs that have not ended."""
        return min((run.seed for run in (*self.running, *self.waiting)), default=None)

    def seconds_left(self, now: float) -> float | None:
        """Time until the study's end; None before any run is finished."""
        rest = [self.computing_left([run], now) for run in self.running]
        work = self.computing_left([*self.running, *self.waiting], now)
        return None if work is None else max(work / self.jobs, *rest, 0.0)

    def computing_left(self, runs: Iterable[Run], now: float) -> float | None:
        """Seconds that these unfinished runs need in one worker; None before any run is finished."""
        if not self.pace.seconds:
            return None
        return sum(max(0.0, self.pace.of(run) - (now - self.running.get(run, now))) for run in runs)

    def line(self, now: float) -> str:
        """Such as '3 of 40 runs done (1 failed), 12 min left'."""
        left = self.seconds_left(now)
        text = f"{self.done} of {self.total} runs done"
        if self.failures:
            text += f" ({len(self.failures)} failed)"
        return f"{text}, {'estimating the time left' if left is None else duration(left) + ' left'}"

    def say(self, text: str) -> None:
        """Prints a line that stays, with how far the study is."""
        line = f"[{self.done}/{self.total}] {text}; {self.line(time.monotonic())}"
        if self._live:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def update(self) -> None:
        """Brings the live table up to date."""
        if self._live:
            height = max(1, self._live.console.height - _OTHER_LINES)
            self._live.update(live_view(self, time.monotonic(), height), refresh=True)

    def show_failures(self) -> None:
        """Lists the failed runs on standard error, a line each with the log in the next."""
        console = Console(stderr=True, highlight=False)
        for run, error in self.failures.items():
            text = f"failed: {run}: {error}\n  log: {self.folder.log(run)}"
            console.print(Text(text, style="red"), soft_wrap=True)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within: a live table is on standard output, where that is a terminal."""
        if not sys.stdout.isatty():
            yield
            return
        with Live(console=Console(), auto_refresh=False, transient=True) as self._live:
            yield


def live_view(state: StudyState, now: float, max_rows: int) -> Group:
    """Table of at most so many unfinished experiments, those at work first, and a bar of all runs."""
    unfinished: dict[Experiment, list[Run]] = {}
    for run in (*state.running, *state.waiting):
        unfinished.setdefault(run.experiment, []).append(run)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("data set")
    table.add_column("model")
    for name in ("done", "failed", "running", "waiting", "computing left"):
        table.add_column(name, justify="right")
    for experiment, runs in list(unfinished.items())[:max_rows]:
        running = sum(run in state.running for run in runs)
        failed = sum(run.experiment == experiment for run in state.failures)
        left = state.computing_left(runs, now)
        table.add_row(
            experiment.data.title,
            MODEL_TITLES[experiment.model],
            str(state.finished[experiment]),
            Text(str(failed), style="red" if failed else ""),
            str(running),
            str(len(runs) - running),
            "–" if left is None else duration(left),
        )
    lines: list[RenderableType] = [table] if unfinished else []
    if (hidden := len(unfinished) - max_rows) > 0:
        lines.append(Text(f"and {hidden} more"))
    bar = Table.grid(padding=(0, 1))
    done = ProgressBar(total=state.total or 1, completed=state.done, width=40)
    bar.add_row(done, state.line(now))
    lines.append(bar)
    if state.running:
        at_work = (f"{run} ({duration(now - begun)})" for run, begun in state.running.items())
        lines.append(Text(f"now: {', '.join(at_work)}", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)
