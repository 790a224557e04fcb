# SPDX-License-Identifier: Apache-2.0
"""The training loop inside the graph: many steps in one session call, by XLA where that wins.

The model function is called once, in the body of a tf.while_loop. TensorFlow lifts the variables that it
makes out of the loop. What the model gives to logging hooks and summaries lives in that body too: its
values are carried out of the loop, one row for each iteration.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.noise import Noise
from vae_ortho_plugin.engine.tracked import Probe

# Compiled by XLA for a CPU, a convolution is many times slower than TensorFlow's own.
_LOSE_UNDER_XLA_ON_CPU = ("Conv2D", "Conv3D", "DepthwiseConv2d", "MaxPool", "AvgPool")
_IMPOSSIBLE_UNDER_XLA = ("IteratorGetNext", "PyFunc", "EagerPyFunc", "PyFuncStateless")

# Columns of a row; it must be known before the model is traced.
_WIDTH = 64


class CannotLoop(Exception):
    """The model function cannot be traced in the body of a loop."""


@dataclasses.dataclass
class Watch:
    """A tensor of the loop's body whose value of every iteration is wanted outside.

    Attributes:
        name: what it is reported as.
        columns: which columns of a row hold it.
        shape: its static shape.
    """

    name: str
    columns: slice
    shape: list[int]

    def value(self, row: np.ndarray) -> np.ndarray | float:
        """The value in one row: float, or [*shape]."""
        value = row[self.columns]
        return value.reshape(self.shape) if self.shape else float(value[0])


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
    start: tf.Tensor | None = None
    unkeyed: frozenset[str] = frozenset()


class _Columns:
    """Collects the watched tensors of the body into one row."""

    def __init__(self):
        self._parts = []
        self._by_tensor = {}
        self.size = 0

    def add(self, name: str, tensor: tf.Tensor) -> Watch:
        tensor = tf.convert_to_tensor(tensor)
        known = self._by_tensor.get(id(tensor))
        if known is not None:
            return dataclasses.replace(known, name=name)
        if not tensor.shape.is_fully_defined():
            raise CannotLoop(f"the shape of '{name}', which is logged, is not known")
        size = tensor.shape.num_elements()
        watch = Watch(name, slice(self.size, self.size + size), tensor.shape.as_list())
        self.size += size
        # The tensor is kept too, so that its id stays its own.
        self._parts.append((tensor, tf.reshape(tf.cast(tensor, tf.float32), [size])))
        self._by_tensor[id(tensor)] = watch
        return watch

    def row(self, width: int) -> tf.Tensor:
        if self.size > width:
            raise CannotLoop(f"it logs {self.size} numbers a step, more than {width}")
        row = tf.concat([part for _, part in self._parts], 0)
        return tf.pad(row, [[0, width - self.size]])


@contextlib.contextmanager
def _catch_scalar_summaries(found: dict[str, tf.Tensor]) -> Iterator[None]:
    """Summaries of the body: XLA cannot write them, and each needs its iteration's value."""

    def scalar(name, tensor, collections=None, family=None):
        found[f"{family}/{name}" if family else name] = tf.convert_to_tensor(tensor)
        return tf.constant("")

    with mock.patch.object(tf.summary, "scalar", scalar):
        yield


@dataclasses.dataclass
class _Stretches:
    """The loop of a session call: stretches of steps, each a loop of its own.

    A stretch ends where its random numbers end or where a tracker measures. (A branch in each step
    costs a small model several times what the measurements do.)

    Attributes:
        call_model: takes a batch, returns the TPUEstimatorSpec of training.
        model_input: `inputs.ResidentInput` or `inputs.IteratorInput`.
        seed: seed of the noise.
        capacity: largest number of iterations in one session call.
        stretch: largest number of iterations whose random numbers are drawn at once.
        probes: of the trackers in the loop.
        traced: the step that the innermost loop runs, once it has been built.
        unkeyed: see `TrainLoop`.
    """

    call_model: Callable
    model_input: object
    seed: int
    capacity: int
    stretch: int
    probes: Sequence[Probe]
    traced: "_Traced | None" = None
    unkeyed: set[str] = dataclasses.field(default_factory=set)

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
        most = -(-self.capacity // self.stretch)
        most += sum(probe.most_rows(self.capacity) for probe in self.probes)
        rows = [
            tf.TensorArray(tf.float32, size=most, element_shape=[probe.row_width])
            for probe in self.probes
        ]

        def stretch(number, offset, step, history, *rows):
            end = self._end(offset, limit, start)
            offset, step, history = self._train(offset, end, step, history, last_step, start)
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
        end = tf.minimum(limit, offset + self.stretch)
        for probe in self.probes:
            left = probe.batches_left(start + tf.cast(offset, tf.int64))
            end = tf.minimum(end, offset + tf.cast(left, tf.int32))
        return end

    def _train(self, stretch_start, end, step, history, last_step, start) -> list:
        """Trains from `stretch_start` to `end`: offset, global step and history after that."""
        start_of_noise = start + tf.cast(stretch_start, tf.int64)
        noise = Noise(self.seed, start_of_noise, self.stretch, end - stretch_start)

        def body(offset, step, history):
            with noise.replace_stateful_ops(offset - stretch_start):
                batch = self.model_input.next_batch(noise)
                self.traced = _Traced.training(self.call_model, batch)
            self.unkeyed |= noise.unkeyed
            with tf.control_dependencies([self.traced.train_op]):
                history = history.write(offset, self.traced.columns.row(_WIDTH))
                return offset + 1, tf.train.get_global_step().read_value(), history

        return tf.while_loop(
            lambda offset, step, history: (offset < end) & (step < last_step),
            body,
            [stretch_start, step, history],
            parallel_iterations=1,
        )


def build(
    call_model: Callable,
    model_input,
    seed: int,
    capacity: int,
    stretch: int,
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
        stretch: largest number of iterations whose random numbers are drawn at once.
        iteration: int64 variable, counts the iterations of the whole training.
        xla: whether XLA compiles the loop.
        probes: of the trackers that measure in the loop.

    Raises:
        CannotLoop: the model function does something that a loop in the graph does not allow.
    """
    limit = tf.placeholder(tf.int32, [], name="iterations")
    last_step = tf.placeholder(tf.int64, [], name="last_step")
    stretches = _Stretches(call_model, model_input, seed, capacity, stretch, probes)
    arguments = [limit, last_step, iteration.read_value(), tf.train.get_global_step().read_value()]
    if xla:
        built = tf.xla.experimental.compile(stretches.build, arguments)
    else:
        built = stretches.build(*arguments)
    trained = stretches.traced.train_loop(iteration, limit, last_step, *built)
    return dataclasses.replace(trained, unkeyed=frozenset(stretches.unkeyed))


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
    columns: _Columns
    logging_hooks: list
    summaries: list[Watch]

    @classmethod
    def training(cls, call_model: Callable, batch) -> "_Traced":
        columns, summaries = _Columns(), {}
        with _catch_scalar_summaries(summaries):
            spec = call_model(batch)
        columns.add("loss", spec.loss)
        hooks = []
        for hook in spec.training_hooks:
            if not isinstance(hook, tf.train.LoggingTensorHook):
                raise TypeError(
                    f"The model function asks for a training hook {type(hook).__name__}; "
                    "vae_ortho_plugin's estimator runs LoggingTensorHook only."
                )
            hooks.append((hook, [columns.add(tag, hook._tensors[tag]) for tag in hook._tag_order]))
        watches = [columns.add(name, tensor) for name, tensor in summaries.items()]
        return cls(spec.train_op, columns, hooks, watches)

    def train_loop(self, iteration, limit, last_step, done, step, history, *rows) -> TrainLoop:
        with tf.control_dependencies([iteration.assign_add(tf.cast(done, tf.int64))]):
            done = tf.identity(done)
        watches = self.logging_hooks, self.summaries
        return TrainLoop(limit, last_step, done, step, history, *watches, list(rows))


def why_not_xla(graph: tf.Graph, on_gpu: bool) -> str | None:
    """What in the graph's loops keeps XLA from compiling them, or makes it lose; None: nothing."""
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            if node.op in _IMPOSSIBLE_UNDER_XLA:
                return "its data come from a Python generator"
            if not on_gpu and node.op.startswith(_LOSE_UNDER_XLA_ON_CPU):
                return f"{node.op} is faster without it on a CPU"
    return None
