# SPDX-License-Identifier: Apache-2.0
"""Measuring several things side by side, in alternation: so that other work on the machine affects all of them."""

import contextlib
import dataclasses
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

# Begins the reason where something raised another error than NotMeasured.
FAILED = "it failed with"


class NotMeasured(Exception):
    """Something cannot be measured here; the message says why."""


@contextlib.contextmanager
def bench_extra():
    """For imports of what the extra `bench` installs: NotMeasured where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotMeasured(f"{error.name} is not installed: pip install '.[bench]'") from None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line decides.

    Attributes:
        scratch: directory for data, models and logs.
        python_tf114: the Python of an environment with TensorFlow 1.14, or None.
        repeats: number of measurements of everything.
        seconds: target duration of one measurement, where it can be chosen.
        python_torch: the Python of an environment with PyTorch and disent, or None.
    """

    scratch: Path
    python_tf114: str | None
    repeats: int
    seconds: float
    python_torch: str | None = None


@dataclasses.dataclass(frozen=True)
class Series:
    """One of the things that a row measures.

    Attributes:
        name: its name in the table.
        open: makes everything ready, and gives a function that measures once; raises NotMeasured.
        at_least: lower bound of the row's first series, as a multiple of this one.
        at_most: upper bound of the row's first series, as a multiple of this one.
    """

    name: str
    open: Callable[[Settings], contextlib.AbstractContextManager[Callable[[], float]]]
    at_least: float | None = None
    at_most: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One comparison: the first series with each of the others.

    Attributes:
        name: on the command line, and of its file.
        title, unit: what is measured.
        series: the subject first, then its alternatives and limits.
        about: what a reader must know to judge the comparison.
        at_least, at_most: bounds of the first series itself, in `unit`.
        axis: what the series' names count, where the row shows growth and not a comparison.
    """

    name: str
    title: str
    unit: str
    series: tuple[Series, ...]
    about: str = ""
    at_least: float | None = None
    at_most: float | None = None
    axis: str | None = None


def measure(row: Row, settings: Settings) -> dict:
    """Measures everything in the row `settings.repeats` times, in alternation.

    A series that raises, when it is made ready or later, is left out from then on, with the reason.

    Returns:
        the row for JSON: its attributes and, for each series, the values or the reason.
    """
    values: dict[str, list[float]] = {series.name: [] for series in row.series}
    reasons: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        ready = {}
        for series in row.series:
            print(f"{row.name}: making ready {series.name}", file=sys.stderr, flush=True)
            with _noting_failure(series.name, reasons):
                ready[series.name] = stack.enter_context(series.open(settings))
        for repeat in range(settings.repeats):
            for name, measure_once in ready.items():
                if name in reasons:
                    continue
                with _noting_failure(name, reasons):
                    values[name].append(measure_once())
                    print(
                        f"{row.name}: {repeat + 1} of {settings.repeats}, {name}: "
                        f"{values[name][-1]:,.5g} {row.unit}",
                        file=sys.stderr,
                        flush=True,
                    )
    facts = {
        field.name: getattr(row, field.name)
        for field in dataclasses.fields(Row)
        if field.name != "series"
    }
    facts["series"] = [
        {
            "name": series.name,
            "at_least": series.at_least,
            "at_most": series.at_most,
            "values": [] if series.name in reasons else values[series.name],
            "not_measured": reasons.get(series.name),
        }
        for series in row.series
    ]
    return facts


@contextlib.contextmanager
def _noting_failure(name: str, reasons: dict[str, str]):
    try:
        yield
    except NotMeasured as error:
        reasons[name] = str(error)
    except Exception as error:  # noqa: BLE001, what fails is left out and the rest goes on
        traceback.print_exc()
        reasons[name] = f"{FAILED} {type(error).__name__}: {str(error).strip()[:200]}"
    if name in reasons:
        print(f"{name} is not measured: {reasons[name]}", file=sys.stderr, flush=True)


class Rate:
    """Measures how many items a second something does.

    Args:
        run: processes a number of items and returns the seconds that this took.
        seconds: target duration of a measurement.
        first: number of items to begin with.

    Runs that find the number of items for `seconds` come first; they also warm up.
    """

    def __init__(self, run: Callable[[int], float], seconds: float, first: int):
        took = run(first)
        while took < seconds / 4:
            first *= max(2, min(100, int(seconds / max(took, 1e-9))))
            took = run(first)
        self._run = run
        self._count = max(1, round(first * seconds / took))

    def __call__(self) -> float:
        return self._count / self._run(self._count)
