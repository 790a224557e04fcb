# SPDX-License-Identifier: Apache-2.0
"""The graph of a training run, and its session."""

import itertools
import os
from collections.abc import Callable
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import rewriter_config_pb2
from tensorflow.python.framework import random_seed

from vae_ortho_plugin.engine import checkpoints, graphs, progress, threads, xla_cache
from vae_ortho_plugin.engine.in_graph import inputs, loop
from vae_ortho_plugin.engine.settings import TrainingLoop

_MODE = "train"
# What surrounds a call takes a millisecond, in which a small model trains a hundred steps.
_STEPS_PER_CALL = 5000
# The random numbers of a call are in memory: 5,000 steps at batch 64.
_POINTS_PER_CALL = 320_000


class TrainingGraph:
    """A graph that trains a TPUEstimator's model function, and its session.

    Its kind is 'xla' or 'loop' (many steps in a session call), or 'step'; `how` says it in words, with the reason.

    Attributes:
        capacity: largest number of steps in a session call.
        train_loop: what a session call runs.
        probes, finals: of the trackers in the loop; a tensor to evaluate after the last step, or None, for each.
        step, batches: global step, and the number of batches that the model has been trained on.
        threads: that share an operation; 0: as many as TensorFlow takes.
        variable_bytes: size of the weights and of the optimizers' slots.
    """

    def __init__(self, estimator, input_fn: Callable, settings: TrainingLoop, kind: str, how: str):
        self._estimator, self.how = estimator, how
        params, config = estimator.params_for(_MODE), estimator.config
        self.capacity = 1
        if kind != "step":
            # Not settings.iterations_per_loop: XLA could compile a loop of another length differently.
            self.capacity = max(1, min(_STEPS_PER_CALL, _POINTS_PER_CALL // params["batch_size"]))
        with graphs.building() as self.graph:
            tf.set_random_seed(config.tf_random_seed)
            with _seeds_by_order(config.tf_random_seed), xla_cache.functions_named_by_order():
                self._build(input_fn, params, kind)
            if kind == "xla" and settings.xla == "auto":
                loop.check_that_xla_wins(self.graph)  # before the data are copied into the session
            # A local variable that the model counts in belongs to the training run too.
            saved = [*tf.global_variables(), *tf.local_variables()]
            saved += tf.get_collection(tf.GraphKeys.SAVEABLE_OBJECTS)
            self._saver = tf.train.Saver(
                saved, max_to_keep=config.keep_checkpoint_max, save_relative_paths=True
            )
            self.threads = threads.chosen(settings.threads, params["batch_size"])
            self.session = tf.Session(config=_session_config(kind, self.threads))
            self._initialize()

    @classmethod
    def fastest(cls, estimator, input_fn: Callable, settings: TrainingLoop) -> "TrainingGraph":
        """The graph under XLA, with a plain loop or step by step: the first that is worth it."""
        arguments = estimator, input_fn, settings
        how, by_xla = "without XLA", None
        if settings.xla != "off":
            try:
                by_xla = cls(*arguments, "xla", "by XLA")
                by_xla.call_session(0, 0)
                return by_xla
            except (tf.errors.OpError, graphs.CannotLoop) as error:
                if by_xla is not None:
                    by_xla.session.close()
                xla_cache.check(error)
                how += f", because {graphs.reason(error)}"
        try:
            return cls(*arguments, "loop", how)
        except graphs.CannotLoop as error:
            return cls(*arguments, "step", f"one step per session call, because {error}")

    def _build(self, input_fn: Callable, params: dict, kind: str) -> None:
        self._global_step = tf.train.create_global_step()
        # Beside the global step, which a model with two optimizers increments twice in a step.
        self._iteration = tf.Variable(0, trainable=False, name="training_iteration", dtype=tf.int64)
        seed, trackers = self._estimator.config.tf_random_seed, self._estimator.trackers
        self.probes = [loop.Probe(tracker) for tracker in trackers.in_loop]
        self._fed = [*self.probes]  # gets its data in the session
        self._drawn = []  # takes the next batch out of the input's iterator

        def call_model(batch):
            return self._estimator.call_model(batch, _MODE)

        if kind == "step":
            self.train_loop, batch = loop.build_step(
                call_model, lambda: input_fn(params), seed, self._iteration, self.probes
            )
            self._drawn = tf.nest.flatten(batch)
        else:
            model_input = inputs.loop_input(input_fn, params)
            if model_input is None:
                raise graphs.CannotLoop("the input function does more than read one iterator")
            # The model's own error returns from training step by step.
            with graphs.in_loop(self.graph):
                arguments = call_model, model_input, seed, self.capacity, self._iteration
                self.train_loop = loop.build(*arguments, kind == "xla", self.probes)
            if isinstance(model_input, inputs.ResidentInput):
                self._fed.append(model_input)
            else:
                self._drawn = tf.nest.flatten(model_input.next_batch())
        self.finals = [probe.final() for probe in self.probes]
        for tracker in trackers.between_calls:
            tracker.build()
        large = self.train_loop.step.large_summaries
        summaries = [one.write(one.variable.read_value()) for one in large]
        self._large_summaries = tf.summary.merge(summaries) if summaries else None
        variables = tf.global_variables()
        values = [variable.read_value() for variable in variables if variable.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(value)) for value in values]
        self._all_finite = tf.reduce_all(finite)
        self.variable_bytes = sum(
            (variable.shape.num_elements() or 0) * variable.dtype.size for variable in variables
        )

    def _initialize(self) -> None:
        self.session.run(
            [
                tf.global_variables_initializer(),
                tf.local_variables_initializer(),
                tf.tables_initializer(),
                *(one.variable.initializer for one in self.train_loop.step.large_summaries),
            ]
        )
        for fed in self._fed:
            fed.initialize(self.session)
        if (checkpoint := self._estimator.latest_checkpoint()) is not None:
            self._saver.restore(self.session, checkpoint)
        self._read_step()

    def _read_step(self) -> None:
        step, batches = self.session.run([self._global_step, self._iteration])
        self.step, self.batches = int(step), int(batches)

    def call_session(self, limit: int, last_step: int) -> tuple[int, int, np.ndarray, list]:
        """Runs at most `limit` steps, up to global step `last_step`.

        Returns steps done, global step, history and rows of each probe (see `loop.TrainLoop`).
        """
        built = self.train_loop
        fetches = [built.done, built.global_step, built.history, built.probed]
        feed = {built.limit: limit, built.last_step: last_step}
        if built.start is not None:
            feed[built.start] = self.batches
        done, step, history, probed = self.session.run(fetches, feed)
        self.step, self.batches = int(step), self.batches + int(done)
        return int(done), self.step, history, probed

    def large_summaries(self) -> bytes:
        """The summaries of images, histograms and the like of the last step, where there are any."""
        return self.session.run(self._large_summaries)

    def draw_again(self, batches: int) -> None:
        """Takes batches out of the input's iterator, if it has one."""
        if not self._drawn:
            return
        progress.say(f"drawing {batches:,} batches from the generator again")
        for batch in range(batches):
            feed = {} if self.train_loop.start is None else {self.train_loop.start: batch}
            self.session.run(self._drawn, feed)

    def save(self, path: str, **options) -> str:
        """As tf.train.Saver.save; raises InputError where the weights cannot be written."""
        try:
            with self.graph.as_default():
                return self._saver.save(self.session, path, **options)
        except (OSError, tf.errors.OpError) as error:
            raise checkpoints.cannot_be_written(os.path.dirname(path), error) from error

    def restore(self, path: str) -> None:
        """Reads weights that `save` wrote."""
        with self.graph.as_default():
            self._saver.restore(self.session, path)
        self._read_step()

    def weights_are_finite(self) -> bool:
        return bool(self.session.run(self._all_finite))


def _session_config(kind: str, threads: int) -> tf.ConfigProto:
    """The session's configuration, with which a training run is the same in every process."""
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    if kind == "step":
        # It sums chains of additions in an order that differs from process to process.
        rewriting = config.graph_options.rewrite_options
        rewriting.arithmetic_optimization = rewriter_config_pb2.RewriterConfig.OFF
    return config


def _seeds_by_order(seed: int):
    """Within: an operation that names no seed gets one by its place among those that name none."""
    count = itertools.count(1)  # TensorFlow takes the pair (0, 0) as no seed at all.

    def get_seed(op_seed):
        return seed, next(count) if op_seed is None else op_seed

    return mock.patch.object(random_seed, "get_seed", get_seed)
