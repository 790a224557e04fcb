# SPDX-License-Identifier: Apache-2.0
"""What a training run logs: the lines of its hooks, TensorBoard's summaries, the trackers' rows."""

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.in_graph.summaries import of_scalars
from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph
from vae_ortho_plugin.engine.tracker import Trackers

# Logging the trackers' rows after each call makes the training run of a small model 2 % longer.
_CALLS_BETWEEN_TRACKER_LOGS = 10


class TrainingLog:
    """What a training run logs of its session calls; summaries every `save_summary_steps` batches, or never (None)."""

    def __init__(
        self,
        writer: tf.summary.FileWriter,
        graph: TrainingGraph,
        trackers: Trackers,
        save_summary_steps: int | None,
    ):
        self._writer, self._trackers = writer, trackers
        self._model_step, self._probes = graph.train_loop.step, graph.probes
        self._save_summary_steps = save_summary_steps
        self._unlogged = []  # (rows of each probe, steps) of session calls
        self._last: tuple[np.ndarray, int] | None = None  # newest row of the history, and its step

    def add_probed(self, probed: list, steps: np.ndarray) -> None:
        """Notes the rows of each probe in a session call; `steps` as for `add_call`."""
        self._unlogged.append((probed, steps))

    def add_call(self, history: np.ndarray, steps: np.ndarray, batches: int) -> None:
        """Logs a session call that came after `batches` batches.

        `history` is [at least steps, columns] (see `TrainLoop`), `steps` the global step after each step.
        """
        self._last = history[len(steps) - 1], steps[-1]
        self._log_hooks(history, steps, batches)
        self._count_steps(steps[-1])
        for index in _due(self._save_summary_steps, batches, len(steps)):
            row = history[index]
            scalars = {entry.name: entry.value(row) for entry in self._model_step.scalars}
            self.add({"loss": float(row[0]), **scalars}, steps[index])
        if len(self._unlogged) == _CALLS_BETWEEN_TRACKER_LOGS:
            self.flush()

    def add(self, summary: dict[str, float] | bytes, step: int) -> None:
        """Writes scalars by their tags, or a summary that TensorFlow has made."""
        made = of_scalars(summary) if isinstance(summary, dict) else summary
        self._writer.add_summary(made, step)

    def flush(self) -> None:
        """Hands the rows that were measured in the loop to their trackers and to TensorBoard."""
        for probed, steps in self._unlogged:
            for probe, rows in zip(self._probes, probed, strict=True):
                for offset, *row in rows[rows[:, 0] > 0]:
                    step = steps[int(offset) - 1]
                    row = np.array(row, rows.dtype)
                    self.add(self._trackers.take(probe.tracker, step, row), step)
        self._unlogged.clear()
        self._writer.flush()

    def end(self) -> None:
        """Logs what hooks ask for at the end of a training run."""
        for hook, entries in self._model_step.logging_hooks:
            if hook._log_at_end and self._last is not None:
                _log_row(hook, entries, *self._last)

    def _log_hooks(self, history: np.ndarray, steps: np.ndarray, batches: int) -> None:
        for hook, entries in self._model_step.logging_hooks:
            every_steps = getattr(hook._timer, "_every_steps", None)
            for index in _due(every_steps, batches, len(steps)):
                _log_row(hook, entries, history[index], steps[index])
            # Seconds are looked at between session calls, which take up to two seconds.
            by_seconds = getattr(hook._timer, "_every_secs", None)
            if by_seconds and hook._timer.should_trigger_for_step(steps[-1]):
                hook._timer.update_last_triggered_step(steps[-1])
                _log_row(hook, entries, *self._last)

    def _count_steps(self, step: int) -> None:
        for counter in self._model_step.counters:
            timer = counter._timer
            if timer.last_triggered_step() is None:
                timer.update_last_triggered_step(step)
            elif timer.should_trigger_for_step(step):
                seconds, count = timer.update_last_triggered_step(step)
                self.add({"global_step/sec": count / seconds}, step)
                tf.logging.info("global_step/sec: %g", count / seconds)


def _log_row(hook, entries, row: np.ndarray, step: int) -> None:
    values = {entry.name: entry.value(row) for entry in entries}
    if hook._formatter is not None:
        tf.logging.info(hook._formatter(values))
        return
    shown = ", ".join(f"{name} = {value}" for name, value in values.items())
    tf.logging.info("%s (step %d)", shown, step)


def _due(interval: int | None, first: int, count: int) -> range:
    """Which of `count` batches, from number `first` on, are multiples of the interval."""
    return range(-first % interval, count, interval) if interval else range(0)
