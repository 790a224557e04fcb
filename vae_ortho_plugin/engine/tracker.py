# SPDX-License-Identifier: Apache-2.0
"""The protocol of trackers: measures that are taken while a model trains.

A tracker is a subclass of `LoopTracker` or `CallTracker` with the decorator `register`. The engine decides
when it measures and keeps its rows. The tracker says what a row is and what follows from all rows:

    @register
    class Loudness(CallTracker):
        name = "loudness"
        ...
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import tensorflow.compat.v1 as tf

REGISTERED: dict[str, type["Tracker"]] = {}


def register(tracker: type["Tracker"]) -> type["Tracker"]:
    """Class decorator: every training asks this tracker whether gin switches it on."""
    REGISTERED[tracker.name] = tracker
    return tracker


@dataclasses.dataclass
class Taken:
    """What one tracker has measured in a training so far.

    Attributes:
        steps: global steps of the measurements, ascending.
        rows: one array a measurement, all of one shape.
        final: value of `LoopTracker.final` at the end of the training.
    """

    steps: list[int] = dataclasses.field(default_factory=list)
    rows: list[np.ndarray] = dataclasses.field(default_factory=list)
    final: np.ndarray | None = None

    def add(self, step: int, row: np.ndarray) -> None:
        self.steps.append(int(step))
        self.rows.append(row)


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
        """The tracker as gin configures it for a training; None if it is switched off.

        Args:
            model_fn: the model function that is trained.
            input_fn: the input function of the training.
            params: what both are called with.

        Raises:
            InputError: a setting or the model is unfit.
        """

    @abc.abstractmethod
    def scalars(self, row: np.ndarray) -> dict[str, float]:
        """What TensorBoard shows of one row, by tag."""

    @abc.abstractmethod
    def results(self, taken: Taken, last_step: int) -> dict:
        """What goes into the results of a training that ended at global step `last_step`."""


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
        """A tensor to evaluate once, at the end of the training; built after the model."""
        return None


class CallTracker(Tracker):
    """A tracker that is evaluated between two session calls, also before the first batch."""

    @abc.abstractmethod
    def build(self) -> None:
        """Builds what `measure` needs in the default graph, where the model has been built."""

    @abc.abstractmethod
    def measure(self, session: tf.Session) -> np.ndarray:
        """One row, measured with the current weights."""
