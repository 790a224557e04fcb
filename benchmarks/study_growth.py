# SPDX-License-Identifier: Apache-2.0
"""How the costs of a results folder grow with its finished runs: --status, aggregation, report."""

import contextlib
import functools
import io
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.framework import Row, Series, Settings
from benchmarks.machine import ROOT

STUDY = "full"
RUNS = (100, 1000, 5000)


def _folder(settings: Settings, number: int):
    """A results folder with so many finished runs that nobody trained, every experiment's seed 0 first."""
    sys.path.insert(0, str(ROOT / "tests"))
    from study_output import add_run

    from vae_ortho_plugin.files import seal
    from vae_ortho_plugin.study.plan.layout import ResultsFolder
    from vae_ortho_plugin.study.plan.plans import select

    folder = ResultsFolder(settings.scratch / f"study_of_{number}_runs")
    runs = sorted(select(STUDY, None, None, range(100)), key=lambda run: run.seed)
    if not folder.path.exists():
        partial = Path(f"{folder.path}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for run in itertools.islice(runs, number):
            add_run(partial, run, dto=0.5 + run.seed / 1000, score=0.5, bare=run.seed > 0)
            _aggregate_metrics(ResultsFolder(partial).run(run).directory)
            seal(ResultsFolder(partial).run(run).directory)
        os.replace(partial, folder.path)
    return folder, runs


def _aggregate_metrics(directory: Path) -> None:
    """The file of each metric that dlib_aggregate_results reads; in a run, dlib_evaluate writes it."""
    for results in directory.glob("metrics/*/*/results/json/evaluation_results.json"):
        aggregate = results.parent.parent / "aggregate" / "evaluation.json"
        aggregate.parent.mkdir(parents=True)
        aggregate.write_text(results.read_text())


@contextlib.contextmanager
def status(settings: Settings, number: int) -> Iterator[Callable]:
    """Seconds of --status, without the start of Python."""
    folder, runs = _folder(settings, number)
    from vae_ortho_plugin.study.run import status as of_study

    def show() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            of_study.show(runs, folder)

    yield functools.partial(_seconds, show)


@contextlib.contextmanager
def aggregation(settings: Settings, number: int) -> Iterator[Callable]:
    """Seconds of dlib_aggregate_results and of the comparison of every metric with its sum."""
    folder, _ = _folder(settings, number)
    from vae_ortho_plugin.study.run.aggregation import aggregate_if_outdated

    def aggregate() -> None:
        folder.aggregation_record.unlink(missing_ok=True)
        aggregate_if_outdated(folder)

    yield functools.partial(_seconds, aggregate)


@contextlib.contextmanager
def report(settings: Settings, number: int) -> Iterator[Callable]:
    """Seconds of the report, its tables and pictures."""
    folder, _ = _folder(settings, number)
    from vae_ortho_plugin.study.report import write_report

    yield functools.partial(_seconds, functools.partial(write_report, STUDY, folder.path))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _row(name: str, title: str, open_: Callable) -> Row:
    return Row(
        f"growth-study-{name}",
        f"{title} of a study",
        "s",
        tuple(Series(str(number), functools.partial(open_, number=number)) for number in RUNS),
        axis="finished runs",
    )


ROWS = (
    _row("status", "--status", status),
    _row("aggregation", "Aggregation", aggregation),
    _row("report", "Report", report),
)
