# SPDX-License-Identifier: Apache-2.0
"""Shows the progress of a study: a live table in a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment, Run
from vae_ortho_plugin.study.run.progress import Failure, Progress

# Lines of a terminal besides the table's rows: its heading, the bar, the runs at work, a line above.
_OTHER_LINES = 8


class Display:
    """Shows a `Progress`; see `shown`."""

    def __init__(self, progress: Progress, live: Live | None):
        self._progress = progress
        self._live = live

    def line(self, text: str) -> None:
        """Prints a line that stays, with how far the study is."""
        progress = self._progress
        line = f"[{progress.done}/{progress.total}] {text}; {progress.line(time.monotonic())}"
        if self._live:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def update(self) -> None:
        """Brings the live table up to date."""
        if self._live:
            height = max(1, self._live.console.height - _OTHER_LINES)
            self._live.update(live_view(self._progress, time.monotonic(), height), refresh=True)


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[Display]:
    """Within: the progress is on standard output; who changes it calls `update` and `line`."""
    if not sys.stdout.isatty():
        yield Display(progress, live=None)
        return
    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        yield Display(progress, live)


def live_view(progress: Progress, now: float, max_rows: int) -> Group:
    """Table of the unfinished experiments, those at work first, and a bar of all runs.

    Args:
        progress: what to show.
        now: time of the progress' clock.
        max_rows: number of experiments to show.
    """
    unfinished: dict[Experiment, list[Run]] = {}
    for run in (*progress.running, *progress.waiting):
        unfinished.setdefault(run.experiment, []).append(run)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("data set")
    table.add_column("model")
    for name in ("done", "failed", "running", "waiting", "computing left"):
        table.add_column(name, justify="right")
    for experiment, runs in list(unfinished.items())[:max_rows]:
        running = sum(run in progress.running for run in runs)
        failed = sum(failure.run.experiment == experiment for failure in progress.failures)
        left = progress.computing_left(runs, now)
        table.add_row(
            experiment.data.title,
            MODEL_TITLES[experiment.model],
            str(len(progress.seconds.get(experiment, []))),
            Text(str(failed), style="red" if failed else ""),
            str(running),
            str(len(runs) - running),
            "–" if left is None else duration(left),
        )
    hidden = len(unfinished) - max_rows
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=progress.total or 1, completed=progress.done, width=40),
        progress.line(now),
    )
    at_work = ", ".join(
        f"{run} ({duration(now - begun)})" for run, begun in progress.running.items()
    )
    lines: list[RenderableType] = [table] if unfinished else []
    if hidden > 0:
        lines.append(Text(f"and {hidden} more experiments"))
    lines.append(bar)
    if at_work:
        lines.append(Text(f"now: {at_work}", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def show_failures(failures: list[Failure]) -> None:
    """Lists the failed runs on standard error, a line each with the log in the next."""
    console = Console(stderr=True, highlight=False)
    for failure in failures:
        text = f"failed: {failure.run}: {failure.error}\n  log: {failure.log}"
        console.print(Text(text, style="red"), soft_wrap=True)
