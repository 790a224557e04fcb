# SPDX-License-Identifier: Apache-2.0
"""A training run: its session calls, and what happens between them."""

import contextlib
import functools
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import interruption, memory, progress, threads
from vae_ortho_plugin.engine.checkpoints import CannotContinue, Checkpoint, Checkpoints
from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph
from vae_ortho_plugin.engine.settings import TrainingLoop
from vae_ortho_plugin.engine.tracker import Trackers
from vae_ortho_plugin.engine.training_log import TrainingLog
from vae_ortho_plugin.errors import NonFiniteLossError

# Target duration of a session call, which cannot be interrupted: half a second, and more where the call copies
# many bytes of weights (about 20 ms for 56 MB, in and out), so that the copies take 2 % of it.
_SECONDS_PER_CALL = 0.5, 2.0
_BYTES_PER_SECOND_OF_CALL = 56e6


class TrainingRun:
    """Trains a graph of a TPUEstimator up to a step.

    The estimator's model_dir gets dlib's checkpoints and the event files, `checkpoints` those from which the
    training run can be continued; None: dlib's alone.
    """

    def __init__(
        self,
        estimator,
        graph: TrainingGraph,
        settings: TrainingLoop,
        checkpoints: Checkpoints | None,
    ):
        self._graph, self._settings, self._checkpoints = graph, settings, checkpoints
        self._model_dir, self._config = estimator.model_dir, estimator.config
        self._trackers: Trackers = estimator.trackers
        self._good: str | None = None  # path of the newest checkpoint with finite weights
        self._written_step: int | None = None  # global step of the newest of `checkpoints`
        self._between_calls = False  # whether the weights are those after a whole session call

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Takes over the weights, the trackers' rows, the event files and the place in the input.

        Raises:
            CannotContinue: the model draws random numbers that do not depend on seed and step alone.
        """
        if unkeyed := self._graph.train_loop.unkeyed:
            raise CannotContinue(
                f"The training run cannot be continued exactly from {checkpoint.directory}, because the "
                f"model draws numbers by {', '.join(sorted(unkeyed))}. Start it over with --overwrite and "
                "without training_loop.continue_from, or bind training_loop.resume = False."
            )
        self._graph.restore(checkpoint.weights)
        self._good, self._written_step = checkpoint.weights, checkpoint.step
        self._trackers.load(checkpoint.trackers)
        if checkpoint.step < checkpoint.last_step:
            self._trackers.leave_out_end(self._graph.batches, self._graph.step)
        os.makedirs(self._model_dir, exist_ok=True)
        for path in checkpoint.events:
            shutil.copy(path, self._model_dir)
        self._graph.draw_again(self._graph.batches)

    def train_to(self, last_step: int) -> None:
        """Trains up to global step `last_step`.

        Raises:
            NonFiniteLossError: the loss or a weight became NaN or infinite.
            Interrupted: SIGINT, SIGTERM or SIGHUP arrived, and there are checkpoints.
        """
        self._last_step = last_step
        os.makedirs(self._model_dir, exist_ok=True)
        graph = self._graph
        with graph.graph.as_default():
            writer = tf.summary.FileWriter(self._model_dir)
        every = self._config.save_summary_steps
        self._log = TrainingLog(writer, graph, self._trackers, every)
        signals = interruption.Signals()
        try:
            with contextlib.nullcontext() if self._checkpoints is None else signals.noted():
                with self._checkpoint_after_an_error():
                    with memory.reused(graph.variable_bytes):
                        self._call_session_until_end(signals)
                    self._finish()
                if signals.arrived is not None:
                    self._stop(signals.arrived)
        finally:
            self._log.flush()
            writer.close()

    @contextlib.contextmanager
    def _checkpoint_after_an_error(self) -> Iterator[None]:
        """Within: after an error between two session calls, a checkpoint has the steps that were done."""
        try:
            yield
        except Exception as error:
            is_good = self._between_calls and not isinstance(error, NonFiniteLossError)
            if self._checkpoints is not None and is_good:
                with contextlib.suppress(Exception):  # the first error is the one to report
                    self._write_checkpoint()
            raise

    def _call_session_until_end(self, signals: interruption.Signals) -> None:
        """Calls the session until the last step; logs and writes checkpoints in between."""
        graph = self._graph
        self._good = self._save_for_dlib()
        shown = progress.Progress(graph.step, self._last_step)
        saved_at = time.monotonic()
        if graph.step < self._last_step:
            progress.say(f"training {threads.described(graph.threads)} {graph.how}")
            self._measure_between_calls()
        limit = min(10, graph.capacity)
        seconds = seconds_per_call(graph.variable_bytes)
        while graph.step < self._last_step:
            limit = min(limit, self._steps_until_pause())
            first_step, batches, called = graph.step, graph.batches, time.monotonic()
            self._between_calls = False
            done, step, history, probed = graph.call_session(limit, self._last_step)
            self._between_calls = True
            now = time.monotonic()
            steps = first_step + (np.arange(done) + 1) * ((step - first_step) // done)
            self._log.add_probed(probed, steps)
            self._check_losses(history[:done, 0], steps)
            self._log.add_call(history, steps, batches)
            if self._batches_until_large_summaries() == self._config.save_summary_steps:
                self._log.add(graph.large_summaries(), step)
            limit = int(np.clip(done * seconds / (now - called), 1, graph.capacity))
            if step < self._last_step:
                self._measure_between_calls()
            if self._checkpoint_is_due(now - saved_at):
                self._write_checkpoint()
                saved_at = time.monotonic()
            shown.show(step, history[done - 1, 0])
            if signals.arrived is not None and step < self._last_step:
                self._stop(signals.arrived)
        shown.end()

    def _steps_until_pause(self) -> int:
        """Steps until something is due between two session calls."""
        due = [
            self._settings.iterations_per_loop,
            self._graph.capacity,
            self._batches_until_large_summaries(),
            self._trackers.batches_left(self._graph.batches),
        ]
        if every := self._settings.checkpoint_steps:
            due.append(every - self._graph.batches % every)
        return min(steps for steps in due if steps is not None)

    def _batches_until_large_summaries(self) -> int | None:
        """Batches until the next summary of images or the like, which comes after a session call."""
        every = self._config.save_summary_steps
        if not (every and self._graph.train_loop.step.large_summaries):
            return None
        # As for scalars, the first batch of every `every` ones has one.
        return 1 + -self._graph.batches % every

    def _checkpoint_is_due(self, seconds: float) -> bool:
        every_seconds, every = self._settings.checkpoint_seconds, self._settings.checkpoint_steps
        is_late = every_seconds is not None and seconds >= every_seconds
        return is_late or (every is not None and self._graph.batches % every == 0)

    def _write_checkpoint(self) -> None:
        if self._checkpoints is None:
            self._good = self._save_for_dlib()
            return
        if self._written_step == self._graph.step:
            return
        self._check_weights()
        self._log.flush()
        save_weights = functools.partial(
            self._graph.save, write_meta_graph=False, write_state=False
        )
        events = sorted(Path(self._model_dir).glob("events.out.tfevents.*"))
        written = self._checkpoints.write(
            self._graph.step, self._last_step, save_weights, self._trackers.save, events
        )
        self._good, self._written_step = written.weights, written.step

    def _stop(self, number: int) -> None:
        """Ends the training run because of a signal, after a checkpoint."""
        self._write_checkpoint()
        message = (
            f"stopped by {signal.Signals(number).name} at step {self._graph.step:,} of "
            f"{self._last_step:,}; the checkpoint is in {self._checkpoints.directory}. To continue: "
            f"{interruption.command()}"
        )
        progress.say(message)
        raise interruption.Interrupted(message, number)

    def _finish(self) -> None:
        """What comes after the last step: the trackers' last rows and the final checkpoint."""
        self._log.end()
        self._measure_between_calls(at_end=True)
        for probe, final in zip(self._graph.probes, self._graph.finals, strict=True):
            if final is not None:
                self._trackers.take_final(probe.tracker, self._graph.session.run(final))
        self._save_for_dlib()
        if self._checkpoints is not None:
            self._write_checkpoint()

    def _save_for_dlib(self) -> str:
        """Path of a checkpoint of the current step in model_dir, saved now unless it is there already."""
        newest = tf.train.latest_checkpoint(self._model_dir)
        if newest is not None and newest.endswith(f"-{self._graph.step}"):
            return newest
        self._check_weights()
        path = os.path.join(self._model_dir, "model.ckpt")
        return self._graph.save(path, global_step=self._graph.step)

    def _check_weights(self) -> None:
        if not self._graph.weights_are_finite():
            raise self._not_finite(f"Some weights are not finite after step {self._graph.step:,}")

    def _check_losses(self, losses: np.ndarray, steps: np.ndarray) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if bad.size:
            raise self._not_finite(f"The loss became {losses[bad[0]]} at step {steps[bad[0]]:,}")

    def _not_finite(self, what: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"{what}. The last good checkpoint is {self._good}. Lower the learning rate, or check the data "
            "for values out of range."
        )

    def _measure_between_calls(self, at_end: bool = False) -> None:
        graph = self._graph
        measured = self._trackers.measure_due(graph.session, graph.batches, graph.step, at_end)
        for scalars in measured:
            self._log.add(scalars, graph.step)


def seconds_per_call(variable_bytes: int) -> float:
    """Target duration of a session call, by the size of the weights and of the optimizers' slots."""
    return float(np.clip(variable_bytes / _BYTES_PER_SECOND_OF_CALL, *_SECONDS_PER_CALL))
