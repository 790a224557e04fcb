# SPDX-License-Identifier: Apache-2.0
"""The engine's side of the trackers: when each one measures, and the rows that it has taken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import tracker as protocol


class TrackedMeasures:
    """The trackers that gin switches on for a training, with what they have taken.

    Args:
        model_fn: the model function that is trained.
        input_fn: the input function of the training.
        params: what both are called with.

    Raises:
        InputError: a setting or the model does not fit.
    """

    def __init__(self, model_fn: Callable, input_fn: Callable, params: dict):
        asked = (
            kind.configured(model_fn, input_fn, params) for kind in protocol.REGISTERED.values()
        )
        self._trackers = [tracker for tracker in asked if tracker is not None]
        self._taken = {tracker.name: protocol.Taken() for tracker in self._trackers}

    @property
    def in_loop(self) -> list[protocol.LoopTracker]:
        return [one for one in self._trackers if isinstance(one, protocol.LoopTracker)]

    @property
    def between_calls(self) -> list[protocol.CallTracker]:
        return [one for one in self._trackers if isinstance(one, protocol.CallTracker)]

    def take(self, tracker: protocol.Tracker, step: int, row: np.ndarray) -> dict[str, float]:
        """Keeps a row measured at global step `step`; returns its scalars for TensorBoard."""
        self._taken[tracker.name].add(step, row)
        return tracker.scalars(row)

    def take_final(self, tracker: protocol.LoopTracker, value: np.ndarray) -> None:
        self._taken[tracker.name].final = value

    def batches_left(self, batches: int) -> int | None:
        """Number of batches until a measurement between session calls is due; None: never.

        Args:
            batches: number of batches that the model has been trained on.
        """
        return min((one.every - batches % one.every for one in self.between_calls), default=None)

    def measure_due(
        self, session: tf.Session, batches: int, step: int, at_end: bool
    ) -> Iterator[dict[str, float]]:
        """Takes what is due between two session calls; yields the scalars of each row.

        Args:
            session: the session of the training.
            batches: number of batches that the model has been trained on.
            step: global step.
            at_end: whether no more batches follow.
        """
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
                final = f"{name}/final"
                taken.final = arrays[final] if final in arrays.files else None

    def results(self, last_step: int) -> dict[str, dict]:
        """Name of each tracker -> its results in a training that ended at `last_step`."""
        return {one.name: one.results(self._taken[one.name], last_step) for one in self._trackers}


class Probe:
    """One `LoopTracker` in one graph. Made in the default graph before the training is built there.

    Attributes:
        row_width: length of a row of `row_if_due`.
    """

    def __init__(self, tracker: protocol.LoopTracker):
        self.tracker = tracker
        self.row_width = 1 + tracker.row_width
        self._placeholder = tf.placeholder(tf.float32, tracker.points.shape)
        self._variable = tf.Variable(
            self._placeholder, trainable=False, collections=[], name="probe_points"
        )

    def initialize(self, session: tf.Session) -> None:
        session.run(self._variable.initializer, {self._placeholder: self.tracker.points})

    def batches_left(self, batches: tf.Tensor) -> tf.Tensor:
        """int64, number of batches to train until the next measurement.

        Args:
            batches: int64, number of batches that the model has been trained on.
        """
        return self.tracker.every - batches % self.tracker.every

    def most_rows(self, batches: int) -> int:
        """Largest number of stretches into which the measurements cut this number of batches."""
        return batches // self.tracker.every + 2

    def row_if_due(self, offset: tf.Tensor, batches: tf.Tensor, at_end: tf.Tensor) -> tf.Tensor:
        """[offset, *row of the tracker] in float32; zeros if no measurement is due.

        Args:
            offset: int32, number of batches of this session call, at least 1.
            batches: int64, number of batches of the whole training.
            at_end: boolean, whether no more batches follow.
        """

        def measured() -> tf.Tensor:
            row = self.tracker.row(self._variable.read_value())
            return tf.concat([tf.cast(offset, tf.float32)[tf.newaxis], row], 0)

        due = at_end | tf.equal(batches % self.tracker.every, 0)
        return tf.cond(due, measured, lambda: tf.zeros([self.row_width]))

    def final(self) -> tf.Tensor | None:
        return self.tracker.final(self._variable.read_value())
