# SPDX-License-Identifier: Apache-2.0
"""The graph that trains a model function, and its session."""

import itertools
import os
from collections.abc import Callable
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import rewriter_config_pb2
from tensorflow.python.framework import random_seed

from vae_ortho_plugin.engine import checkpoints, graphs, progress, threads, tracing, xla_cache
from vae_ortho_plugin.engine.in_graph import inputs, loop
from vae_ortho_plugin.engine.settings import TrainingLoop
from vae_ortho_plugin.engine.tracked import Probe, TrackedMeasures

_MODE = "train"
# What surrounds a call takes a millisecond, in which a small model trains a hundred steps.
_STEPS_PER_CALL = 5000
# The random numbers of a call are in memory: 5,000 steps at batch 64.
_POINTS_PER_CALL = 320_000


class TrainingGraph:
    """A graph that trains a model function, and its session.

    Args:
        estimator: the TPUEstimator.
        input_fn: makes the batches.
        tracked: the measures to take.
        settings: how it runs.
        kind: 'xla' or 'loop' (many steps in a session call), or 'step'.
        how: the kind and the reason for it, in words.

    Attributes:
        graph: the TensorFlow graph.
        session: its session.
        train_loop: what a session call runs.
        probes: of the trackers in the loop.
        step: global step, after `read_step` or a session call.
        batches: number of batches that the model has been trained on.
        how: as given.
        threads: that share an operation; 0: as many as TensorFlow takes.
        variable_bytes: size of the weights and of the optimizers' slots.
    """

    def __init__(
        self,
        estimator,
        input_fn: Callable,
        tracked: TrackedMeasures,
        settings: TrainingLoop,
        kind: str,
        how: str,
    ):
        self._estimator = estimator
        self._config = estimator.config
        self._tracked = tracked
        self.capacity, self.how = 1, how
        points = estimator.params_for(_MODE)["batch_size"]
        if kind != "step":
            asked = self._config.tpu_config.iterations_per_loop
            # Not settings.iterations_per_loop: XLA could compile a loop of another length differently.
            self.capacity = max(1, min(max(asked, _STEPS_PER_CALL), _POINTS_PER_CALL // points))
        with graphs.building() as self.graph:
            tf.set_random_seed(estimator.seed)
            with _seeds_by_order(estimator.seed), xla_cache.functions_named_by_order():
                self._build(input_fn, kind)
            if kind == "xla" and settings.xla == "auto":
                self._check_that_xla_wins()
            # A local variable that the model counts in belongs to the training too.
            self._saver = tf.train.Saver(
                [
                    *tf.global_variables(),
                    *tf.local_variables(),
                    *tf.get_collection(tf.GraphKeys.SAVEABLE_OBJECTS),
                ],
                max_to_keep=self._config.keep_checkpoint_max,
                save_relative_paths=True,
            )
            self.threads = threads.chosen(settings.threads, points)
            config = _session_config(self._config.session_config, kind, self.threads)
            self.session = tf.Session(config=config)
            self._initialize()

    @classmethod
    def fastest(
        cls, estimator, input_fn: Callable, tracked: TrackedMeasures, settings: TrainingLoop
    ) -> "TrainingGraph":
        """The training under XLA, in a plain loop or step by step: the first that is worth it.

        Args:
            estimator: the TPUEstimator.
            input_fn: makes the batches.
            tracked: the measures to take.
            settings: how it runs.
        """
        arguments = estimator, input_fn, tracked, settings
        reason = None
        if settings.xla != "off":
            by_xla = None
            try:
                by_xla = cls(*arguments, "xla", "by XLA")
                by_xla.call_session(0, 0)
                return by_xla
            except (tf.errors.OpError, tracing.CannotLoop) as error:
                if by_xla is not None:
                    by_xla.close()
                xla_cache.check(error)
                reason = tracing.reason(error)
        how = "without XLA" if reason is None else f"without XLA, because {reason}"
        try:
            return cls(*arguments, "loop", how)
        except tracing.CannotLoop as error:
            return cls(*arguments, "step", f"one step per session call, because {error}")

    def _check_that_xla_wins(self) -> None:
        """Raises CannotLoop where XLA loses, before the data are copied into the session."""
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        if (reason := loop.why_not_xla(self.graph, on_gpu)) is not None:
            raise tracing.CannotLoop(reason)

    def _build(self, input_fn: Callable, kind: str) -> None:
        self._global_step = tf.train.create_global_step()
        # Kept beside the global step, which a model with two optimizers increments twice in a step.
        self._iteration = tf.Variable(0, trainable=False, name="training_iteration", dtype=tf.int64)
        self._input = None
        self.probes = [Probe(tracker) for tracker in self._tracked.in_loop]
        if kind == "step":
            self._build_step(input_fn)
        else:
            self._build_loop(input_fn, kind)
        self.finals = [probe.final() for probe in self.probes]
        for tracker in self._tracked.between_calls:
            tracker.build()
        kept = self.train_loop.kept
        self._summary = tf.summary.merge([one.summary() for one in kept]) if kept else None
        variables = tf.global_variables()
        self._finite = _all_finite(variables)
        self.variable_bytes = sum(
            variable.shape.num_elements() * variable.dtype.size for variable in variables
        )

    def _build_step(self, input_fn: Callable) -> None:
        batches = []

        def draw():
            batches.append(input_fn(self._estimator.params_for(_MODE)))
            return batches[0]

        self.train_loop = loop.build_step(
            self._call_model, draw, self._estimator.seed, self._iteration, self.probes
        )
        self._drawn = tf.nest.flatten(batches)

    def _build_loop(self, input_fn: Callable, kind: str) -> None:
        params = self._estimator.params_for(_MODE)
        self._input = inputs.loop_input(input_fn, params)
        if self._input is None:
            raise tracing.CannotLoop("the input function does more than read one iterator")
        # The model's own error returns from training step by step.
        with tracing.in_loop(self.graph):
            self.train_loop = loop.build(
                self._call_model,
                self._input,
                self._estimator.seed,
                self.capacity,
                self._iteration,
                xla=kind == "xla",
                probes=self.probes,
            )
        self._drawn = self._input.drawn_again()

    def _call_model(self, batch):
        return self._estimator.call_model(batch, _MODE)

    def _initialize(self) -> None:
        self.session.run(
            [
                tf.global_variables_initializer(),
                tf.local_variables_initializer(),
                tf.tables_initializer(),
                *(kept.variable.initializer for kept in self.train_loop.kept),
            ]
        )
        for fed in (self._input, *self.probes):
            if fed is not None:
                fed.initialize(self.session)
        checkpoint = self._estimator.latest_checkpoint()
        if checkpoint is not None:
            self._saver.restore(self.session, checkpoint)
        self.read_step()

    def read_step(self) -> None:
        step, batches = self.session.run([self._global_step, self._iteration])
        self.step, self.batches = int(step), int(batches)

    def close(self) -> None:
        self.session.close()

    def call_session(self, limit: int, last_step: int) -> tuple[int, int, np.ndarray, list]:
        """Runs at most `limit` steps, up to global step `last_step`.

        Returns:
            Steps done, global step, history and rows of each probe (see `loop.TrainLoop`).
        """
        built = self.train_loop
        fetches = [built.done, built.global_step, built.history, built.probed]
        feed = {built.limit: limit, built.last_step: last_step}
        if built.start is not None:
            feed[built.start] = self.batches
        done, step, history, probed = self.session.run(fetches, feed)
        self.step, self.batches = int(step), self.batches + int(done)
        return int(done), self.step, history, probed

    def summary(self) -> bytes:
        """The summaries of images, histograms and the like of the last step; needs `train_loop.kept`."""
        return self.session.run(self._summary)

    def draw_again(self, batches: int) -> None:
        """Takes batches out of the input's iterator, if it has one."""
        if not self._drawn:
            return
        progress.say(f"drawing {batches:,} batches from the generator again")
        for batch in range(batches):
            feed = {} if self.train_loop.start is None else {self.train_loop.start: batch}
            self.session.run(self._drawn, feed)

    def save(self, path: str, **options) -> str:
        """Writes the weights; arguments as for tf.train.Saver.save.

        Raises:
            InputError: they cannot be written.
        """
        try:
            with self.graph.as_default():
                return self._saver.save(self.session, path, **options)
        except (OSError, tf.errors.OpError) as error:
            raise checkpoints.cannot_be_written(os.path.dirname(path), error) from error

    def restore(self, path: str) -> None:
        """Reads weights that `save` wrote."""
        with self.graph.as_default():
            self._saver.restore(self.session, path)
        self.read_step()

    def weights_are_finite(self) -> bool:
        return bool(self.session.run(self._finite))


def _session_config(given: tf.ConfigProto | None, kind: str, threads: int) -> tf.ConfigProto:
    """The configuration of the session, for a training that is the same in every process."""
    config = tf.ConfigProto()
    if given is not None:
        config.CopyFrom(given)
    if threads:
        config.intra_op_parallelism_threads = threads
    if kind == "step":
        # It sums chains of additions in an order that differs from process to process.
        rewriting = config.graph_options.rewrite_options
        rewriting.arithmetic_optimization = rewriter_config_pb2.RewriterConfig.OFF
    return config


def _all_finite(variables: list[tf.Variable]) -> tf.Tensor:
    """Whether each of the floating-point variables is finite."""
    values = [variable.read_value() for variable in variables if variable.dtype.is_floating]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in values])


def _seeds_by_order(seed: int):
    """Seeds an operation that names no seed by its place among those, whatever else is in the graph."""
    count = itertools.count(1)  # TensorFlow takes the pair (0, 0) as no seed at all.

    def get_seed(op_seed):
        return seed, next(count) if op_seed is None else op_seed

    return mock.patch.object(random_seed, "get_seed", get_seed)
