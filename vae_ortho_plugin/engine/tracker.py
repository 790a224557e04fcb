# SPDX-License-Identifier: Apache-2.0
"""Trackers: measures that are taken while a model trains.

A tracker is a subclass of `LoopTracker` or `CallTracker` with the decorator `register`. The engine decides
when it measures and stores its rows. The tracker says what a row is and what follows from all rows:

    @register
    class Loudness(CallTracker):
        name = "loudness"
        ...
"""

import abc
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow.compat.v1 as tf

REGISTERED: dict[str, type["Tracker"]] = {}


def register(tracker: type["Tracker"]) -> type["Tracker"]:
    """Class decorator: every training run asks this tracker whether gin switches it on."""
    REGISTERED[tracker.name] = tracker
    return tracker


@dataclasses.dataclass
class Taken:
    """What one tracker has measured in a training run so far.

    Attributes:
        steps: global steps of the measurements, ascending.
        rows: one array a measurement, all of one shape.
        final: value of `LoopTracker.final` at the end of the training run.
    """

    steps: list[int] = dataclasses.field(default_factory=list)
    rows: list[np.ndarray] = dataclasses.field(default_factory=list)
    final: np.ndarray | None = None


class Tracker(abc.ABC):
    """A measure that is taken after every `every` batches and after the last one.

    Attributes:
        name: key of its results, and its name in gin.
        every: number of batches from one measurement to the next.
    """

    name: ClassVar[str]
    every: int

    @classmethod
    @abc.abstractmethod
    def configured(cls, model_fn: Callable, input_fn: Callable, params: dict) -> "Tracker | None":
        """The tracker as gin configures it for a training run; None if it is switched off.

        Args:
            model_fn: the model function that is trained.
            input_fn: the input function of the training run.
            params: what both are called with.

        Raises:
            InputError: a setting or the model is unfit.
        """

    @abc.abstractmethod
    def scalars(self, row: np.ndarray) -> dict[str, float]:
        """What TensorBoard shows of one row, by tag."""

    @abc.abstractmethod
    def results(self, taken: Taken, last_step: int) -> dict:
        """What goes into the results of a training run that ended at global step `last_step`."""


class LoopTracker(Tracker):
    """A tracker that is evaluated inside the graph, between two steps of a session call.

    Attributes:
        points: observations that it measures on, float32 [points, *observation_shape].
        row_width: length of a row.
    """

    points: np.ndarray
    row_width: ClassVar[int]

    @abc.abstractmethod
    def row(self, points: tf.Tensor) -> tf.Tensor:
        """float32 [row_width], built in the training loop where the model's variables exist.

        Args:
            points: `self.points` in the graph.
        """

    def final(self, points: tf.Tensor) -> tf.Tensor | None:
        """A tensor to evaluate once, at the end of the training run; built after the model."""
        return None


class CallTracker(Tracker):
    """A tracker that is evaluated between two session calls, also before the first batch."""

    @abc.abstractmethod
    def build(self) -> None:
        """Builds what `measure` needs in the default graph, where the model has been built."""

    @abc.abstractmethod
    def measure(self, session: tf.Session) -> np.ndarray:
        """One row, measured with the current weights."""


class Trackers:
    """The trackers that gin switches on for a training run, and what they have taken.

    Args: those of `Tracker.configured`, which raises InputError.
    """

    def __init__(self, model_fn: Callable, input_fn: Callable, params: dict):
        asked = (kind.configured(model_fn, input_fn, params) for kind in REGISTERED.values())
        self._all = [tracker for tracker in asked if tracker is not None]
        self._taken = {tracker.name: Taken() for tracker in self._all}
        self.in_loop = [one for one in self._all if isinstance(one, LoopTracker)]
        self.between_calls = [one for one in self._all if isinstance(one, CallTracker)]

    def take(self, tracker: Tracker, step: int, row: np.ndarray) -> dict[str, float]:
        """Stores a row measured at a global step; returns its scalars for TensorBoard."""
        self._taken[tracker.name].steps.append(int(step))
        self._taken[tracker.name].rows.append(row)
        return tracker.scalars(row)

    def take_final(self, tracker: LoopTracker, value: np.ndarray) -> None:
        self._taken[tracker.name].final = value

    def batches_left(self, batches: int) -> int | None:
        """Batches from batch number `batches` to the next `measure_due`; None: it is never due."""
        return min((one.every - batches % one.every for one in self.between_calls), default=None)

    def measure_due(
        self, session: tf.Session, batches: int, step: int, at_end: bool
    ) -> Iterator[dict[str, float]]:
        """Measures what is due after `batches` batches, at a global step; yields the scalars of each row."""
        for tracker in self.between_calls:
            taken_now = step in self._taken[tracker.name].steps[-1:]
            if (at_end or batches % tracker.every == 0) and not taken_now:
                yield self.take(tracker, step, tracker.measure(session))

    def save(self, path: Path) -> None:
        """Writes all that was taken so far to an npz file."""
        arrays = {}
        for name, taken in self._taken.items():
            arrays |= {f"{name}/steps": taken.steps, f"{name}/rows": taken.rows}
            if taken.final is not None:
                arrays[f"{name}/final"] = taken.final
        np.savez(path, **arrays)

    def load(self, path: Path) -> None:
        """Takes over what `save` wrote."""
        with np.load(path) as arrays:
            for name, taken in self._taken.items():
                taken.steps = [int(step) for step in arrays[f"{name}/steps"]]
                taken.rows = list(arrays[f"{name}/rows"])
                taken.final = arrays.get(f"{name}/final")

    def leave_out_end(self, batches: int, step: int) -> None:
        """Drops the rows of a global step that are there because a training run of `batches` batches ended at it."""
        for one in self._all:
            taken = self._taken[one.name]
            if taken.steps[-1:] == [step] and batches % one.every:
                del taken.steps[-1], taken.rows[-1]

    def results(self, last_step: int) -> dict[str, dict]:
        """Name of each tracker -> its results in a training run that ended at `last_step`."""
        return {one.name: one.results(self._taken[one.name], last_step) for one in self._all}
