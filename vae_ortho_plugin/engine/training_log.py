# SPDX-License-Identifier: Apache-2.0
"""Logs, TensorBoard's summaries and the trackers' rows of one training."""

from collections.abc import Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.in_graph.loop import TrainLoop
from vae_ortho_plugin.engine.tracked import Probe, TrackedMeasures

# Reporting the trackers' rows after each call makes the training of a small model 2 % longer.
_CALLS_BETWEEN_TRACKER_REPORTS = 10


class Reports:
    """What a training reports of its session calls.

    Args:
        writer: of the training's event file.
        train_loop: the loop that the session calls run.
        tracked: the measures that are taken.
        probes: of the trackers in the loop.
        save_summary_steps: batches from one summary to the next; None: no summaries.
    """

    def __init__(
        self,
        writer: tf.summary.FileWriter,
        train_loop: TrainLoop,
        tracked: TrackedMeasures,
        probes: Sequence[Probe],
        save_summary_steps: int | None,
    ):
        self._writer, self._loop = writer, train_loop
        self._tracked, self._probes = tracked, probes
        self._save_summary_steps = save_summary_steps
        self._unreported = []  # (rows of each probe, steps) of session calls
        self._last: tuple[np.ndarray, int] | None = None  # newest row of the history, and its step

    def add_probed(self, probed: list, steps: np.ndarray) -> None:
        """Notes what the probes measured in a session call.

        Args:
            probed: rows of each probe, see `TrainLoop`.
            steps: [iterations], global step after each of them.
        """
        self._unreported.append((probed, steps))

    def add_call(self, history: np.ndarray, steps: np.ndarray, batches: int) -> None:
        """Reports a session call.

        Args:
            history: [iterations, columns], see `TrainLoop`.
            steps: [iterations], global step after each of them.
            batches: number of batches before the call.
        """
        self._log(history, steps, batches)
        for index in _due(self._save_summary_steps, batches, len(steps)):
            row = history[index]
            scalars = {watch.name: watch.value(row) for watch in self._loop.summaries}
            self.add({"loss": float(row[0]), **scalars}, steps[index])
        if len(self._unreported) == _CALLS_BETWEEN_TRACKER_REPORTS:
            self.flush()

    def add(self, scalars: dict[str, float], step: int) -> None:
        """Writes a summary of scalars by their tags."""
        values = [tf.Summary.Value(tag=tag, simple_value=scalars[tag]) for tag in scalars]
        self._writer.add_summary(tf.Summary(value=values), step)

    def flush(self) -> None:
        """Hands the rows that were measured in the loop to their trackers and to TensorBoard."""
        for probed, steps in self._unreported:
            for probe, rows in zip(self._probes, probed, strict=True):
                for offset, *row in rows[rows[:, 0] > 0]:
                    step = steps[int(offset) - 1]
                    row = np.array(row, rows.dtype)
                    self.add(self._tracked.take(probe.tracker, step, row), step)
        self._unreported.clear()
        self._writer.flush()

    def add_serialized(self, summary: bytes, step: int) -> None:
        """Writes a summary that TensorFlow has made."""
        self._writer.add_summary(summary, step)

    def end(self) -> None:
        """Logs what hooks ask for at the end of a training."""
        if self._last is not None:
            for hook, watches in self._loop.logging_hooks:
                if hook._log_at_end:
                    self._log_row(hook, watches, *self._last)

    def _log(self, history: np.ndarray, steps: np.ndarray, batches: int) -> None:
        self._last = history[len(steps) - 1], steps[-1]
        for hook, watches in self._loop.logging_hooks:
            every_steps = getattr(hook._timer, "_every_steps", None)
            for index in _due(every_steps, batches, len(steps)):
                self._log_row(hook, watches, history[index], steps[index])
            # Seconds are looked at between session calls, which take up to two seconds.
            if getattr(hook._timer, "_every_secs", None) and _is_time(hook._timer, steps[-1]):
                self._log_row(hook, watches, *self._last)
        for counter in self._loop.counters:
            timer = counter._timer
            if timer.last_triggered_step() is None:
                timer.update_last_triggered_step(steps[-1])
            elif timer.should_trigger_for_step(steps[-1]):
                seconds, count = timer.update_last_triggered_step(steps[-1])
                rate = count / seconds
                self.add({"global_step/sec": rate}, steps[-1])
                tf.logging.info("global_step/sec: %g", rate)

    def _log_row(self, hook, watches, row: np.ndarray, step: int) -> None:
        values = {watch.name: watch.value(row) for watch in watches}
        if hook._formatter is not None:
            tf.logging.info(hook._formatter(values))
            return
        shown = ", ".join(f"{name} = {value}" for name, value in values.items())
        tf.logging.info("%s (step %d)", shown, step)


def _is_time(timer, step: int) -> bool:
    if not timer.should_trigger_for_step(step):
        return False
    timer.update_last_triggered_step(step)
    return True


def _due(interval: int | None, iteration: int, count: int) -> range:
    """Which of `count` iterations, the first being `iteration`, are multiples of the interval."""
    return range(-iteration % interval, count, interval) if interval else range(0)
