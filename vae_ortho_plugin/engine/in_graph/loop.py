# SPDX-License-Identifier: Apache-2.0
"""The training loop inside the graph: many steps in one session call, by XLA where that wins.

The model function is called once, in the body of a tf.while_loop. TensorFlow lifts the variables that it
makes out of the loop. What the model gives to logging hooks and summaries lives in that body too: its
values are carried out of the loop, one row for each iteration.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.in_graph.noise import Noise
from vae_ortho_plugin.engine.in_graph.summaries import (
    Columns,
    KeptSummary,
    Summaries,
    Watch,
    check_hook,
)
from vae_ortho_plugin.engine.tracked import Probe

# Compiled by XLA for a CPU, a convolution is many times slower than TensorFlow's own.
_SLOW_UNDER_XLA_ON_CPU = ("Conv2D", "Conv3D", "DepthwiseConv2d", "MaxPool", "AvgPool")
_IMPOSSIBLE_UNDER_XLA = ("IteratorGetNext", "PyFunc", "EagerPyFunc", "PyFuncStateless")

# Columns of a row; it must be known before the model is traced.
_WIDTH = 64


@dataclasses.dataclass
class TrainLoop:
    """A built loop, to be run by a session.

    Attributes:
        limit: int32 placeholder, iterations of the next session call, at most `capacity`.
        last_step: int64 placeholder, global step at which training ends.
        done: int32 tensor, iterations that the call ran.
        global_step: int64 tensor, global step after the call.
        history: float32 tensor [capacity, columns], one row an iteration; column 0 is the loss.
        logging_hooks: [(hook, watches of its tensors in its order)].
        summaries: watches of the model's scalar summaries.
        probed: for each probe float32 [stretches, row_width], rows of `row_if_due`.
        kept: the model's other summaries.
        counters: the model's hooks that report steps per second.
        start: int64 tensor to feed with the iterations before the call; None in a loop.
        unkeyed: kinds of random operations that do not depend on seed and iteration alone.
    """

    limit: tf.Tensor
    last_step: tf.Tensor
    done: tf.Tensor
    global_step: tf.Tensor
    history: tf.Tensor
    logging_hooks: list[tuple[tf.train.LoggingTensorHook, list[Watch]]]
    summaries: list[Watch]
    probed: list[tf.Tensor]
    kept: list[KeptSummary]
    counters: list[tf.train.StepCounterHook]
    start: tf.Tensor | None = None
    unkeyed: frozenset[str] = frozenset()


@dataclasses.dataclass
class _Stretches:
    """The loop of a session call: stretches of steps, each a loop of its own.

    A stretch ends where a tracker measures. (A branch in each step costs a small model several times
    what the measurements do.)

    Attributes:
        call_model: takes a batch, returns the TPUEstimatorSpec of training.
        model_input: `inputs.ResidentInput` or `inputs.IteratorInput`.
        noise: of the session call.
        capacity: largest number of iterations in one session call.
        probes: of the trackers in the loop.
        traced: the step that the innermost loop runs, once it has been built.
    """

    call_model: Callable
    model_input: object
    noise: Noise
    capacity: int
    probes: Sequence[Probe]
    traced: "_Traced | None" = None

    def build(
        self, limit: tf.Tensor, last_step: tf.Tensor, start: tf.Tensor, first_step: tf.Tensor
    ) -> list[tf.Tensor]:
        """Iterations done, global step, history, and rows of each probe (see `TrainLoop`).

        Args:
            limit: int32, iterations of this session call.
            last_step: int64, global step at which training ends.
            start: int64, iterations before this session call.
            first_step: int64, global step before it.
        """
        history = tf.TensorArray(tf.float32, size=self.capacity, element_shape=[_WIDTH])
        most = 1 + sum(probe.most_rows(self.capacity) for probe in self.probes)
        rows = [
            tf.TensorArray(tf.float32, size=most, element_shape=[probe.row_width])
            for probe in self.probes
        ]

        def stretch(number, offset, step, history, *rows):
            end = self._end(offset, limit, start)
            offset, step, history = self._train(offset, end, step, history, last_step)
            with tf.control_dependencies([step]):
                batches = start + tf.cast(offset, tf.int64)
                rows = [
                    row.write(number, probe.row_if_due(offset, batches, step >= last_step))
                    for probe, row in zip(self.probes, rows, strict=True)
                ]
            return number + 1, offset, step, history, *rows

        _, offset, step, history, *rows = tf.while_loop(
            lambda number, offset, step, *_: (offset < limit) & (step < last_step),
            stretch,
            [tf.constant(0), tf.constant(0), first_step, history, *rows],
            parallel_iterations=1,
        )
        return [offset, step, history.stack(), *(row.stack() for row in rows)]

    def _end(self, offset: tf.Tensor, limit: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        """Where the stretch that begins at `offset` ends."""
        end = limit
        for probe in self.probes:
            left = probe.batches_left(start + tf.cast(offset, tf.int64))
            end = tf.minimum(end, offset + tf.cast(left, tf.int32))
        return end

    def _train(self, offset, end, step, history, last_step) -> list:
        """Trains from `offset` to `end`: offset, global step and history after that."""

        def body(offset, step, history):
            with self.noise.replace_stateful_ops(offset):
                batch = self.model_input.next_batch(self.noise)
                self.traced = _Traced.training(self.call_model, batch)
            with tf.control_dependencies([self.traced.train_op]):
                history = history.write(offset, self.traced.columns.row(_WIDTH))
                return offset + 1, tf.train.get_global_step().read_value(), history

        return tf.while_loop(
            lambda offset, step, history: (offset < end) & (step < last_step),
            body,
            [offset, step, history],
            parallel_iterations=1,
        )


def build(
    call_model: Callable,
    model_input,
    seed: int,
    capacity: int,
    iteration: tf.Variable,
    xla: bool,
    probes: Sequence[Probe] = (),
) -> TrainLoop:
    """Builds the training loop in the default graph.

    Args:
        call_model: takes a batch, returns the TPUEstimatorSpec of training.
        model_input: `inputs.ResidentInput` or `inputs.IteratorInput`.
        seed: seed of the noise.
        capacity: largest number of iterations in one session call.
        iteration: int64 variable, counts the iterations of the whole training.
        xla: whether XLA compiles the loop.
        probes: of the trackers that measure in the loop.

    Raises:
        CannotLoop: the model function does something that a loop in the graph does not allow.
    """
    limit = tf.placeholder(tf.int32, [], name="iterations")
    last_step = tf.placeholder(tf.int64, [], name="last_step")
    start = iteration.read_value()
    noise = Noise(seed, start, capacity, limit)
    stretches = _Stretches(call_model, model_input, noise, capacity, probes)
    arguments = [limit, last_step, start, tf.train.get_global_step().read_value()]
    if xla:
        built = tf.xla.experimental.compile(stretches.build, arguments)
    else:
        built = stretches.build(*arguments)
    trained = stretches.traced.train_loop(iteration, limit, last_step, *built)
    return dataclasses.replace(trained, unkeyed=frozenset(noise.unkeyed))


def build_step(
    call_model: Callable,
    draw: Callable,
    seed: int,
    iteration: tf.Variable,
    probes: Sequence[Probe] = (),
) -> TrainLoop:
    """As `build`, without a loop: one step in a session call, for models that cannot loop.

    Args:
        call_model: takes a batch, returns the TPUEstimatorSpec of training.
        draw: builds the batch.
        seed: seed of the noise.
        iteration: int64 variable, counts the iterations of the whole training.
        probes: of the trackers that measure in the graph.
    """
    limit, last_step = tf.placeholder(tf.int32, []), tf.placeholder(tf.int64, [])
    # With a default, since initial values of variables are drawn from it where a model computes them.
    start = tf.placeholder_with_default(np.int64(0), [])
    noise = Noise(seed, start, 1)
    with noise.replace_stateful_ops(tf.constant(0)):
        traced = _Traced.training(call_model, draw())
    with tf.control_dependencies([traced.train_op]):
        step = tf.train.get_global_step().read_value()
        results = [step, traced.columns.row(traced.columns.size)[tf.newaxis]]
        batches = iteration.read_value() + 1
        for probe in probes:
            row = probe.row_if_due(tf.constant(1), batches, step >= last_step)
            results.append(row[tf.newaxis])
    with tf.control_dependencies(results):
        done = tf.constant(1)
    trained = traced.train_loop(iteration, limit, last_step, done, *results)
    return dataclasses.replace(trained, start=start, unkeyed=frozenset(noise.unkeyed))


@dataclasses.dataclass
class _Traced:
    """What the training graph of one step holds."""

    train_op: tf.Operation
    columns: Columns
    logging_hooks: list
    summaries: list[Watch]
    kept: list[KeptSummary]
    counters: list[tf.train.StepCounterHook]

    @classmethod
    def training(cls, call_model: Callable, batch) -> "_Traced":
        columns, summaries = Columns(), Summaries()
        with summaries.caught():
            spec = call_model(batch)
        columns.add("loss", spec.loss)
        hooks, counters = [], []
        for hook in spec.training_hooks:
            check_hook(hook)
            if isinstance(hook, tf.train.StepCounterHook):
                counters.append(hook)
                continue
            hooks.append((hook, [columns.add(tag, hook._tensors[tag]) for tag in hook._tag_order]))
        watches = [columns.add(name, tensor) for name, tensor in summaries.scalars.items()]
        kept, updates = summaries.keep()
        train_op = tf.group(spec.train_op, *updates) if updates else spec.train_op
        return cls(train_op, columns, hooks, watches, kept, counters)

    def train_loop(self, iteration, limit, last_step, done, step, history, *rows) -> TrainLoop:
        with tf.control_dependencies([iteration.assign_add(tf.cast(done, tf.int64))]):
            done = tf.identity(done)
        reported = self.logging_hooks, self.summaries, list(rows), self.kept, self.counters
        return TrainLoop(limit, last_step, done, step, history, *reported)


def why_not_xla(graph: tf.Graph, on_gpu: bool) -> str | None:
    """What in the graph's loops keeps XLA from compiling them, or makes it lose; None: nothing."""
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            if node.op in _IMPOSSIBLE_UNDER_XLA:
                return "its data come from a Python generator"
            if not on_gpu and node.op.startswith(_SLOW_UNDER_XLA_ON_CPU):
                return f"{node.op} is faster without it on a CPU"
    return None
