# SPDX-License-Identifier: Apache-2.0
"""One training: its graph, its session and what happens between session calls."""

import dataclasses
import itertools
import os
import time
from collections.abc import Callable
from unittest import mock

import gin
import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import random_seed

from vae_ortho_plugin.engine import inputs, loop, progress
from vae_ortho_plugin.engine.tracked import Probe, TrackedMeasures
from vae_ortho_plugin.errors import InputError, NonFiniteLossError

_MODE = "train"
# Target duration of a session call, which cannot be interrupted.
_SECONDS_PER_CALL = 0.5
# What surrounds a call takes a millisecond, in which a small model trains a hundred steps.
_STEPS_PER_CALL = 5000
# Random numbers are drawn ahead for at most this many points: 5,000 steps at batch 64.
_POINTS_DRAWN_AHEAD = 320_000
# Reporting the trackers' rows after each call makes the training of a small model 2 % longer.
_CALLS_BETWEEN_TRACKER_REPORTS = 10


@dataclasses.dataclass(frozen=True)
class _Settings:
    iterations_per_loop: int | None
    xla: str


@gin.configurable("training_loop")
def _settings(iterations_per_loop: int | None = None, xla: str = "auto") -> _Settings:
    """How training runs inside the graph. The trained weights do not depend on `iterations_per_loop`.

    Args:
        iterations_per_loop: largest number of steps in one session call; None: 5,000. A session call
            has at most as many steps as half a second allows.
        xla: 'auto' (compile where that is faster), 'on' or 'off'.
    """
    if xla not in ("auto", "on", "off"):
        raise InputError(f"training_loop.xla is {xla!r}; it must be 'auto', 'on' or 'off'.")
    return _Settings(iterations_per_loop, xla)


class Training:
    """A graph that trains a model function, and its session.

    Args:
        estimator: the TPUEstimator.
        input_fn: makes the batches.
        tracked: the measures to take.
        kind: 'xla' or 'loop' (many steps in a session call), or 'step'.

    Attributes:
        step: global step.
    """

    def __init__(self, estimator, input_fn: Callable, tracked: TrackedMeasures, kind: str):
        self._estimator = estimator
        self._config = estimator.config
        self._tracked = tracked
        self._unreported = []  # (rows of each probe, steps) of session calls
        self._capacity = 1
        if kind != "step":
            asked = self._config.tpu_config.iterations_per_loop
            self._capacity = _settings().iterations_per_loop or max(asked, _STEPS_PER_CALL)
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.set_random_seed(estimator.seed)
            with _seeds_by_order(estimator.seed):
                self._build(input_fn, kind)
            self._saver = tf.train.Saver(
                max_to_keep=self._config.keep_checkpoint_max, save_relative_paths=True
            )
            self._session = tf.Session(config=self._config.session_config)
            self._initialize()

    @classmethod
    def fastest(
        cls, estimator, input_fn: Callable, tracked: TrackedMeasures, compile_by_xla: bool
    ) -> "Training":
        """The training under XLA, in a plain loop or step by step: the first that is worth it.

        Args:
            estimator: the TPUEstimator.
            input_fn: makes the batches.
            tracked: the measures to take.
            compile_by_xla: whether XLA may be tried.
        """
        xla = _settings().xla if compile_by_xla else "off"
        try:
            plain = cls(estimator, input_fn, tracked, "xla" if xla == "on" else "loop")
        except loop.CannotLoop as error:
            progress.say(f"training one step per session call, because {error}")
            return cls(estimator, input_fn, tracked, "step")
        if xla != "auto":
            return plain
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        reason = loop.why_not_xla(plain.graph, on_gpu)
        if reason is None:
            compiled = cls(estimator, input_fn, tracked, "xla")
            try:
                compiled.call_session(0, 0)
                plain.close()
                return compiled
            except tf.errors.OpError as error:
                compiled.close()
                reason = str(error).strip().splitlines()[0]
        progress.say(f"training without XLA, because {reason}")
        return plain

    def _build(self, input_fn: Callable, kind: str) -> None:
        tf.train.create_global_step()
        # Kept beside the global step, which a model with two optimizers increments twice in a step.
        self._iteration = tf.Variable(0, trainable=False, name="training_iteration", dtype=tf.int64)
        self._input = None
        self._probes = [Probe(tracker) for tracker in self._tracked.in_loop]
        if kind == "step":
            batch = input_fn(self._estimator.params_for(_MODE))
            self._loop = loop.build_step(self._call_model, batch, self._iteration, self._probes)
        else:
            self._build_loop(input_fn, kind)
        self._finals = [probe.final() for probe in self._probes]
        for tracker in self._tracked.between_calls:
            tracker.build()

    def _build_loop(self, input_fn: Callable, kind: str) -> None:
        params = self._estimator.params_for(_MODE)
        self._input = inputs.loop_input(input_fn, params)
        if self._input is None:
            raise loop.CannotLoop("the input function does more than read one iterator")
        try:
            self._loop = loop.build(
                self._call_model,
                self._input,
                self._estimator.seed,
                self._capacity,
                max(1, min(self._capacity, _POINTS_DRAWN_AHEAD // params["batch_size"])),
                self._iteration,
                xla=kind == "xla",
                probes=self._probes,
            )
        except InputError:
            raise
        except ValueError as error:
            # TensorFlow's word for a tensor of the body used outside; the model's own error returns
            # from training step by step.
            reason = str(error).partition("\n")[0]
            raise loop.CannotLoop(f"the model cannot loop: {reason}") from error
        if any(variable.graph is not self.graph for variable in tf.global_variables()):
            raise loop.CannotLoop("the model makes variables that cannot leave the loop")

    def _call_model(self, batch):
        return self._estimator.call_model(batch, _MODE)

    def _initialize(self) -> None:
        self._session.run(
            [
                tf.global_variables_initializer(),
                tf.local_variables_initializer(),
                tf.tables_initializer(),
            ]
        )
        for fed in (self._input, *self._probes):
            if fed is not None:
                fed.initialize(self._session)
        checkpoint = self._estimator.latest_checkpoint()
        if checkpoint is not None:
            self._saver.restore(self._session, checkpoint)
        step, batches = self._session.run([tf.train.get_global_step(), self._iteration])
        self.step, self._batches = int(step), int(batches)

    def close(self) -> None:
        self._session.close()

    def call_session(self, limit: int, last_step: int) -> tuple[int, int, np.ndarray, list]:
        """Runs at most `limit` steps, up to global step `last_step`.

        Returns:
            Steps done, global step, history and rows of each probe (see `loop.TrainLoop`).
        """
        built = self._loop
        fetches = [built.done, built.global_step, built.history, built.probed]
        return self._session.run(fetches, {built.limit: limit, built.last_step: last_step})

    def train_to(self, last_step: int) -> None:
        """Trains up to global step `last_step`."""
        os.makedirs(self._estimator.model_dir, exist_ok=True)
        with self.graph.as_default():
            self._writer = tf.summary.FileWriter(self._estimator.model_dir)
        try:
            self._call_session_until(last_step)
            self._finish()
        finally:
            self._report_trackers()
            self._writer.close()

    def _call_session_until(self, last_step: int) -> None:
        """Calls the session until the global step is `last_step`; reports and saves in between."""
        checkpoint = self.save()
        shown = progress.Progress(self.step, last_step)
        saved_at = time.monotonic()
        if self.step < last_step:
            self._measure_between_calls()
        limit = min(10, self._capacity)
        while self.step < last_step:
            limit = min(limit, self._steps_until_pause())
            called = time.monotonic()
            done, step, history, probed = self.call_session(limit, last_step)
            now = time.monotonic()
            steps = self.step + (np.arange(done) + 1) * ((step - self.step) // done)
            self._unreported.append((probed, steps))
            _check_finite(history[:done, 0], steps, checkpoint)
            self._report(history, steps)
            if len(self._unreported) == _CALLS_BETWEEN_TRACKER_REPORTS:
                self._report_trackers()
            self.step, self._batches = int(step), self._batches + int(done)
            limit = int(np.clip(done * _SECONDS_PER_CALL / (now - called), 1, self._capacity))
            if self.step < last_step:
                self._measure_between_calls()
            if self._checkpoint_is_due(now - saved_at):
                checkpoint, saved_at = self.save(), now
            shown.show(self.step, history[done - 1, 0])
        shown.end()

    def _steps_until_pause(self) -> int:
        """Steps until something is due between two session calls."""
        due = [self._capacity]
        if every := self._config.save_checkpoints_steps:
            due.append(every - self.step % every)
        if (left := self._tracked.batches_left(self._batches)) is not None:
            due.append(left)
        return min(due)

    def _checkpoint_is_due(self, seconds: float) -> bool:
        config = self._config
        by_time = config.save_checkpoints_secs and seconds >= config.save_checkpoints_secs
        by_step = config.save_checkpoints_steps and self.step % config.save_checkpoints_steps == 0
        return bool(by_time or by_step)

    def _finish(self) -> None:
        """What comes after the last step: the trackers' last rows and the final checkpoint."""
        self._measure_between_calls(at_end=True)
        for probe, final in zip(self._probes, self._finals, strict=True):
            if final is not None:
                self._tracked.take_final(probe.tracker, self._session.run(final))
        self.save()

    def save(self) -> str:
        """Path of a checkpoint of the current step, saved now unless it is there already."""
        directory = self._estimator.model_dir
        newest = self._estimator.latest_checkpoint()
        if newest is not None and newest.endswith(f"-{self.step}"):
            return newest
        os.makedirs(directory, exist_ok=True)
        with self.graph.as_default():
            return self._saver.save(
                self._session, os.path.join(directory, "model.ckpt"), global_step=self.step
            )

    def _measure_between_calls(self, at_end: bool = False) -> None:
        measured = self._tracked.measure_due(self._session, self._batches, self.step, at_end)
        for scalars in measured:
            self._write_summary(scalars, self.step)

    def _report(self, history: np.ndarray, steps: np.ndarray) -> None:
        """Logs, and writes summaries of, those iterations at which they are due."""
        if tf.logging.get_verbosity() <= tf.logging.INFO:
            for hook, watches in self._loop.logging_hooks:
                for index in _due(hook._timer._every_steps, self._batches, len(steps)):
                    values = [f"{watch.name} = {watch.value(history[index])}" for watch in watches]
                    tf.logging.info("%s (step %d)", ", ".join(values), steps[index])
        for index in _due(self._config.save_summary_steps, self._batches, len(steps)):
            row = history[index]
            scalars = {watch.name: watch.value(row) for watch in self._loop.summaries}
            self._write_summary({"loss": float(row[0]), **scalars}, steps[index])

    def _report_trackers(self) -> None:
        """Hands the rows that were measured in the loop to their trackers and to TensorBoard."""
        for probed, steps in self._unreported:
            for probe, rows in zip(self._probes, probed, strict=True):
                for offset, *row in rows[rows[:, 0] > 0]:
                    step = steps[int(offset) - 1]
                    row = np.array(row, rows.dtype)
                    self._write_summary(self._tracked.take(probe.tracker, step, row), step)
        self._unreported.clear()

    def _write_summary(self, scalars: dict[str, float], step: int) -> None:
        values = [tf.Summary.Value(tag=tag, simple_value=scalars[tag]) for tag in scalars]
        self._writer.add_summary(tf.Summary(value=values), step)


def _due(interval: int | None, iteration: int, count: int) -> range:
    """Which of `count` iterations, the first being `iteration`, are multiples of the interval."""
    return range(-iteration % interval, count, interval) if interval else range(0)


def _check_finite(losses: np.ndarray, steps: np.ndarray, checkpoint: str) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        raise NonFiniteLossError(
            f"The loss became {losses[bad[0]]} at step {steps[bad[0]]:,}. The last good checkpoint "
            f"is {checkpoint}. Lower the learning rate, or check the data for values out of range."
        )


def _seeds_by_order(seed: int):
    """Seeds an operation that names no seed by its place among those, whatever else is in the graph."""
    count = itertools.count(1)  # TensorFlow takes the pair (0, 0) as no seed at all.

    def get_seed(op_seed):
        return seed, next(count) if op_seed is None else op_seed

    return mock.patch.object(random_seed, "get_seed", get_seed)
