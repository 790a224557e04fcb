# SPDX-License-Identifier: Apache-2.0
"""A local estimator with the contract of TensorFlow 1's TPUEstimator, as far as dlib uses it.

Training runs many steps inside the graph in each session call, as TPUEstimator does
(see `loop`). Logging hooks and summaries report the steps they are due at, checkpoints come at their
intervals. Where a model cannot run in such a loop, it is trained one step per session call.
"""

import dataclasses
import functools
import inspect
import itertools
import os
import sys
import time
from collections.abc import Callable
from unittest import mock

import gin
import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import random_seed

from vae_ortho_plugin.engine import inputs, loop
from vae_ortho_plugin.errors import InputError, NonFiniteLossError
from vae_ortho_plugin.tracking import probe_points
from vae_ortho_plugin.tracking.dto import DtoWhileTraining
from vae_ortho_plugin.tracking.polarized_regime import PolarizedRegime

_SECONDS_BETWEEN_PROGRESS = 10.0
# A session call cannot be interrupted: it should take about so long.
_SECONDS_PER_CALL = 0.5
# What surrounds a call takes a millisecond, in which a small model trains a hundred steps.
_STEPS_PER_CALL = 5000
# Random numbers are drawn ahead for so many points: 5,000 steps at batch 64.
_POINTS_DRAWN_AHEAD = 320_000
# Written call by call, the reports take a small model's training 2 % longer.
_CALLS_BETWEEN_REGIME_REPORTS = 10


class ModeKeys:
    """Names of an estimator's modes."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


@dataclasses.dataclass
class TPUConfig:
    """`iterations_per_loop`: steps in one session call, at most; where they are short, more are run."""

    iterations_per_loop: int = 2


@dataclasses.dataclass
class RunConfig:
    """How the estimator runs. Steps and seconds are intervals; None switches one off."""

    tf_random_seed: int | None = 1
    keep_checkpoint_max: int = 5
    save_summary_steps: int | None = 100
    save_checkpoints_secs: float | None = 600
    save_checkpoints_steps: int | None = None
    session_config: tf.ConfigProto | None = None
    tpu_config: TPUConfig = dataclasses.field(default_factory=TPUConfig)


@dataclasses.dataclass
class TPUEstimatorSpec:
    """What a model function returns."""

    mode: str
    loss: tf.Tensor | None = None
    train_op: tf.Operation | None = None
    eval_metrics: tuple[Callable, list | dict] | None = None
    training_hooks: list[tf.train.SessionRunHook] | None = None

    def __post_init__(self):
        self.training_hooks = list(self.training_hooks or [])


@gin.configurable("training_loop")
def _training_loop(iterations_per_loop: int | None = None, xla: str = "auto") -> tuple:
    """How training runs inside the graph. The trained weights do not depend on `iterations_per_loop`.

    Args:
      iterations_per_loop: largest number of steps in one session call, which otherwise has as many
        as half a second holds; None: 5,000.
      xla: 'auto' (compile where that wins), 'on' or 'off'.
    """
    if xla not in ("auto", "on", "off"):
        raise ValueError(f"training_loop.xla is {xla!r}; it must be 'auto', 'on' or 'off'.")
    return iterations_per_loop, xla


class TPUEstimator:
    """Trains and evaluates a model function on this machine.

    Args:
      model_fn: takes features, labels, mode and params and returns a `TPUEstimatorSpec`.
      model_dir: directory of checkpoints and event files.
      train_batch_size: params["batch_size"] in training.
      eval_batch_size: params["batch_size"] in evaluation.
      config: a `RunConfig`.
      params: further entries of params.
      use_tpu: must be false.
    """

    def __init__(
        self,
        model_fn: Callable,
        model_dir: str,
        config: RunConfig,
        train_batch_size: int,
        eval_batch_size: int | None = None,
        params: dict | None = None,
        use_tpu: bool = False,
    ):
        if use_tpu:
            raise ValueError("vae_ortho_plugin's estimator runs on CPUs and GPUs, not on TPUs.")
        self._model_fn = model_fn
        self.model_dir = model_dir
        self._config = config
        self._batch_sizes = {ModeKeys.TRAIN: train_batch_size, ModeKeys.EVAL: eval_batch_size}
        self._params = params or {}
        self._regime: PolarizedRegime | None = None
        self._dto: DtoWhileTraining | None = None

    def latest_checkpoint(self) -> str | None:
        """Path of the newest checkpoint in model_dir."""
        return tf.train.latest_checkpoint(self.model_dir)

    def train(self, input_fn: Callable, steps: int | None = None, max_steps: int | None = None):
        """Trains for `steps` more steps, or up to step `max_steps`; zero keeps the initial weights.

        Continues from the newest checkpoint in model_dir, if there is one.

        Raises:
          NonFiniteLossError: the loss became NaN or infinite; names the step and the last checkpoint.
          InputError: a measure to be taken while the model trains does not fit the model.
        """
        if (steps is None) == (max_steps is None):
            raise ValueError("Give train() either steps or max_steps.")
        draw = functools.partial(probe_points.draw, input_fn, self._params_for(ModeKeys.TRAIN))
        self._regime = self._regime or PolarizedRegime.configured(self._model_fn, draw)
        self._dto = self._dto or DtoWhileTraining.configured(self._model_fn, draw)
        nothing_to_do = steps == 0 or max_steps == 0
        training = _Training.fastest(
            self, input_fn, "off" if nothing_to_do else _training_loop()[1]
        )
        try:
            training.run(max_steps if steps is None else training.step + steps)
        finally:
            training.close()
        return self

    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, float | dict]:
        """Means of the model's evaluation metrics and of its loss over the input's batches.

        After a training with `polarized_regime` or `dto_while_training` switched on, its results too,
        under this key.

        Args:
          input_fn: makes the batches.
          steps: number of batches; None: all that the input gives.
          checkpoint_path: the weights; None: the newest checkpoint in model_dir.
          name: evaluations of different names are told apart in TensorBoard.
        """
        checkpoint = checkpoint_path or self.latest_checkpoint()
        if checkpoint is None:
            raise ValueError(f"There is no checkpoint in {self.model_dir}: train the model first.")
        results = _evaluate(self, input_fn, steps, checkpoint)
        directory = os.path.join(self.model_dir, "eval" if name is None else f"eval_{name}")
        with tf.Graph().as_default():
            writer = tf.summary.FileWriter(directory)
            scalars = {tag: value for tag, value in results.items() if tag != "global_step"}
            writer.add_summary(_summary(scalars), results["global_step"])
            writer.close()
        if self._regime is not None:
            results["polarized_regime"] = self._regime.results(results["global_step"])
        if self._dto is not None:
            results["dto_while_training"] = self._dto.results()
        return results

    def _params_for(self, mode: str) -> dict:
        return {**self._params, "batch_size": self._batch_sizes[mode]}

    def _call_model(self, batch, mode: str) -> TPUEstimatorSpec:
        features, labels = batch if isinstance(batch, tuple) else (batch, None)
        arguments = {"mode": mode, "params": self._params_for(mode), "config": self._config}
        accepted = inspect.signature(self._model_fn).parameters
        arguments = {name: value for name, value in arguments.items() if name in accepted}
        return self._model_fn(features, labels, **arguments)

    def _seed(self) -> int:
        seed = self._config.tf_random_seed
        return 1 if seed is None else seed


class _Training:
    """One call of `TPUEstimator.train`: a graph, its session and what happens around session calls.

    Args:
      estimator: the estimator.
      input_fn: makes the batches.
      kind: 'xla' or 'loop' (many steps in a session call), or 'step'.
    """

    def __init__(self, estimator: TPUEstimator, input_fn: Callable, kind: str):
        self._estimator = estimator
        self._config = estimator._config
        self._evaluated = []  # (evaluations, steps) of session calls that are not reported yet
        self.capacity = 1
        if kind != "step":
            asked = self._config.tpu_config.iterations_per_loop
            self.capacity = _training_loop()[0] or max(asked, _STEPS_PER_CALL)
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.set_random_seed(estimator._seed())
            with _seeds_by_order(estimator._seed()):
                self._build(input_fn, kind)
                self._active = self._probe and self._probe.active()
                self._jacobians = estimator._dto and estimator._dto.jacobians()
            self._saver = tf.train.Saver(
                max_to_keep=self._config.keep_checkpoint_max, save_relative_paths=True
            )
            self._session = tf.Session(config=self._config.session_config)
            self._initialize()

    @classmethod
    def fastest(cls, estimator: TPUEstimator, input_fn: Callable, xla: str) -> "_Training":
        """The training under XLA, in a plain loop or step by step: the first that is worth it."""
        try:
            plain = cls(estimator, input_fn, "xla" if xla == "on" else "loop")
        except loop.CannotLoop as error:
            _print(f"training one step per session call, because {error}")
            return cls(estimator, input_fn, "step")
        if xla != "auto":
            return plain
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        reason = loop.why_not_xla(plain.graph, on_gpu)
        if reason is None:
            compiled = cls(estimator, input_fn, "xla")
            try:
                compiled._run(0, 0)
                plain.close()
                return compiled
            except tf.errors.OpError as error:
                compiled.close()
                reason = str(error).strip().splitlines()[0]
        _print(f"training without XLA, because {reason}")
        return plain

    def _build(self, input_fn: Callable, kind: str) -> None:
        estimator = self._estimator
        tf.train.create_global_step()
        # Kept beside the global step, which a model with two optimizers counts up twice in a step.
        self._iteration = iteration = tf.Variable(
            0, trainable=False, name="training_iteration", dtype=tf.int64
        )
        params = estimator._params_for(ModeKeys.TRAIN)

        def call_model(batch) -> TPUEstimatorSpec:
            return estimator._call_model(batch, ModeKeys.TRAIN)

        self._input = None
        self._probe = estimator._regime and estimator._regime.probe()
        if kind == "step":
            self._loop = loop.build_step(call_model, input_fn(params), iteration, self._probe)
            return
        self._input = inputs.loop_input(input_fn, params)
        if self._input is None:
            raise loop.CannotLoop("the input function does more than read one iterator")
        try:
            self._loop = loop.build(
                call_model,
                self._input,
                estimator._seed(),
                self.capacity,
                max(1, min(self.capacity, _POINTS_DRAWN_AHEAD // params["batch_size"])),
                iteration,
                xla=kind == "xla",
                probe=self._probe,
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

    def _initialize(self) -> None:
        self._session.run(
            [
                tf.global_variables_initializer(),
                tf.local_variables_initializer(),
                tf.tables_initializer(),
            ]
        )
        for fed in (self._input, self._probe):
            if fed is not None:
                fed.initialize(self._session)
        checkpoint = self._estimator.latest_checkpoint()
        if checkpoint is not None:
            self._saver.restore(self._session, checkpoint)
        self.step = int(self._session.run(tf.train.get_global_step()))

    def close(self) -> None:
        self._session.close()

    def _run(self, limit: int, last_step: int) -> list:
        """Steps done, global step, history and, if there is a probe, evaluations (see `TrainLoop`)."""
        built = self._loop
        fetches = [built.done, built.global_step, built.history]
        if self._probe is not None:
            fetches.append(built.evaluations)
        return self._session.run(fetches, {built.limit: limit, built.last_step: last_step})

    def run(self, last_step: int) -> None:
        """Trains up to global step `last_step`."""
        os.makedirs(self._estimator.model_dir, exist_ok=True)
        with self.graph.as_default():
            writer = tf.summary.FileWriter(self._estimator.model_dir)
        try:
            self._train(last_step, writer)
        finally:
            self._report_regime(writer)
            writer.close()

    def _train(self, last_step: int, writer: tf.summary.FileWriter) -> None:
        config, dto = self._config, self._estimator._dto
        first_step, iteration = self.step, 0
        batches_before = int(self._session.run(self._iteration))
        checkpoint = self._save()
        started = saved_at = shown_at = time.monotonic()
        self._measure_dto(writer)
        limit = min(10, self.capacity)
        while self.step < last_step:
            if config.save_checkpoints_steps:
                due = config.save_checkpoints_steps - self.step % config.save_checkpoints_steps
                limit = min(limit, due)
            if dto is not None:
                limit = min(limit, dto.batches_left(batches_before + iteration))
            called = time.monotonic()
            done, step, history, *evaluations = self._run(limit, last_step)
            now = time.monotonic()
            steps = self.step + (np.arange(done) + 1) * ((step - self.step) // done)
            self._evaluated += [(rows, steps) for rows in evaluations]
            _check_finite(history[:done, 0], steps, checkpoint)
            self._report(history, steps, iteration, writer)
            if len(self._evaluated) == _CALLS_BETWEEN_REGIME_REPORTS:
                self._report_regime(writer)
            self.step, iteration = int(step), iteration + done
            limit = int(np.clip(done * _SECONDS_PER_CALL / (now - called), 1, self.capacity))
            if dto is not None and dto.is_due(batches_before + iteration):
                self._measure_dto(writer)

            by_time = (
                config.save_checkpoints_secs and now - saved_at >= config.save_checkpoints_secs
            )
            by_step = config.save_checkpoints_steps and step % config.save_checkpoints_steps == 0
            if by_time or by_step:
                checkpoint, saved_at = self._save(), now
            if now - shown_at >= _SECONDS_BETWEEN_PROGRESS:
                shown_at, rate = now, (self.step - first_step) / (now - started)
                _print(
                    f"step {self.step:,} of {last_step:,}, loss {history[done - 1, 0]:.6g}, "
                    f"{rate:,.0f} steps/s, {(last_step - self.step) / rate:,.0f} s left"
                )
        self._measure_dto(writer)
        if self._probe is not None:
            self._estimator._regime.end(self._session.run(self._active))
        self._save()
        if self.step > first_step:
            seconds = time.monotonic() - started
            _print(
                f"trained {self.step - first_step:,} steps in {seconds:,.1f} s "
                f"({(self.step - first_step) / seconds:,.0f} steps/s), "
                f"loss {history[done - 1, 0]:.6g}"
            )

    def _save(self) -> str:
        directory = self._estimator.model_dir
        newest = self._estimator.latest_checkpoint()
        if newest is not None and newest.endswith(f"-{self.step}"):
            return newest
        os.makedirs(directory, exist_ok=True)
        with self.graph.as_default():
            return self._saver.save(
                self._session, os.path.join(directory, "model.ckpt"), global_step=self.step
            )

    def _measure_dto(self, writer) -> None:
        if self._estimator._dto is not None:
            scalars = self._estimator._dto.measure(self._session, self._jacobians, self.step)
            if scalars:
                writer.add_summary(_summary(scalars), self.step)

    def _report(self, history, steps, iteration, writer) -> None:
        """Logs, and writes summaries of, those iterations at which they are due."""
        if tf.logging.get_verbosity() <= tf.logging.INFO:
            for hook, watches in self._loop.logging_hooks:
                for index in _due(hook._timer._every_steps, iteration, len(steps)):
                    values = [f"{watch.name} = {watch.value(history[index])}" for watch in watches]
                    tf.logging.info("%s (step %d)", ", ".join(values), steps[index])
        for index in _due(self._config.save_summary_steps, iteration, len(steps)):
            row = history[index]
            scalars = {watch.name: watch.value(row) for watch in self._loop.summaries}
            writer.add_summary(_summary({"loss": float(row[0]), **scalars}), steps[index])

    def _report_regime(self, writer) -> None:
        for rows, steps in self._evaluated:
            for row in rows[rows[:, 0] > 0]:
                step = steps[int(row[0]) - 1]
                writer.add_summary(_summary(self._estimator._regime.add(step, row)), step)
        self._evaluated.clear()


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


def _evaluate(
    estimator: TPUEstimator, input_fn: Callable, steps: int | None, checkpoint: str
) -> dict[str, float]:
    params = estimator._params_for(ModeKeys.EVAL)

    def call_model(batch) -> TPUEstimatorSpec:
        return estimator._call_model(batch, ModeKeys.EVAL)

    with tf.Graph().as_default(), tf.Session(config=estimator._config.session_config) as session:
        tf.set_random_seed(estimator._seed())
        global_step = tf.train.create_global_step()
        resident = inputs.loop_input(input_fn, params)
        if isinstance(resident, inputs.ResidentInput):
            count = resident.num_batches or steps
            names, values = loop.build_evaluation(call_model, resident, estimator._seed(), count)
        else:
            resident = None
            updates = loop.metric_updates(call_model(input_fn(params)))
            names, values = list(updates), list(updates.values())
        session.run([tf.local_variables_initializer(), tf.tables_initializer()])
        tf.train.Saver().restore(session, checkpoint)
        if resident is not None:
            resident.initialize(session)
            result = session.run(values)
        else:
            done = 0
            while steps is None or done < steps:
                try:
                    result = session.run(values)
                except tf.errors.OutOfRangeError:
                    break
                done += 1
        means = {name: float(value) for name, value in zip(names, result, strict=False)}
        return {**means, "global_step": int(session.run(global_step))}


def _seeds_by_order(seed: int):
    """Seeds an operation that names no seed by its place among those, whatever else is in the graph."""
    count = itertools.count(1)  # TensorFlow takes the pair (0, 0) as no seed at all.

    def get_seed(op_seed):
        return seed, next(count) if op_seed is None else op_seed

    return mock.patch.object(random_seed, "get_seed", get_seed)


def _summary(scalars: dict[str, float]) -> tf.Summary:
    return tf.Summary(
        value=[tf.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    )


def _print(message: str) -> None:
    print(f"vae_ortho_plugin: {message}", file=sys.stderr, flush=True)


def assign_from_checkpoint_fn(model_path: str, var_list: dict | list) -> Callable:
    """A function that restores variables from a checkpoint in the session it is given.

    Args:
      model_path: path of the checkpoint.
      var_list: the variables, or name in the checkpoint → variable.
    """
    saver = tf.train.Saver(var_list)
    return lambda session: saver.restore(session, model_path)
