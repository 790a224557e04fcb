# SPDX-License-Identifier: Apache-2.0
"""The training loop inside the graph: many steps in one session call, by XLA where that wins.

The model function is called once, in the body of a tf.while_loop; the variables it makes are lifted out
of the loop by TensorFlow. Whatever the model gives to logging hooks and summaries lives in that body too:
its values are carried out of the loop, a row for every iteration.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.noise import Noise
from vae_ortho_plugin.tracking.polarized_regime import Probe

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
      evaluations: rows of `polarized_regime.Probe.evaluate`, if there is a probe; those not due, zeros.
    """

    limit: tf.Tensor
    last_step: tf.Tensor
    done: tf.Tensor
    global_step: tf.Tensor
    history: tf.Tensor
    logging_hooks: list[tuple[tf.train.LoggingTensorHook, list[Watch]]]
    summaries: list[Watch]
    evaluations: tf.Tensor | None


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


def build(
    call_model: Callable,
    model_input,
    seed: int,
    capacity: int,
    stretch: int,
    iteration: tf.Variable,
    xla: bool,
    probe: Probe | None = None,
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
      probe: evaluates the polarized regime where that is due.

    Raises:
      CannotLoop: the model function does something that a loop in the graph does not allow.
    """
    global_step = tf.train.get_global_step()
    limit = tf.placeholder(tf.int32, [], name="iterations")
    last_step = tf.placeholder(tf.int64, [], name="last_step")
    traced = None

    def loop(limit, last_step, start, first_step):
        def train(stretch_start, end, step, history):
            start_of_noise = start + tf.cast(stretch_start, tf.int64)
            noise = Noise(seed, start_of_noise, stretch, end - stretch_start)

            def body(offset, step, history):
                nonlocal traced
                with noise.replace_stateful_ops(offset - stretch_start):
                    traced = _Traced.training(call_model, model_input.next_batch(noise))
                with tf.control_dependencies([traced.train_op]):
                    history = history.write(offset, traced.columns.row(_WIDTH))
                    return offset + 1, global_step.read_value(), history

            return tf.while_loop(
                lambda offset, step, history: (offset < end) & (step < last_step),
                body,
                [stretch_start, step, history],
                parallel_iterations=1,
            )

        def train_stretch(offset, step, history, *evaluated):
            end = tf.minimum(limit, offset + stretch)
            if probe is not None:
                left = probe.left(start + tf.cast(offset, tf.int64))
                end = tf.minimum(end, offset + tf.cast(left, tf.int32))
            offset, step, history = train(offset, end, step, history)
            if probe is None:
                return offset, step, history
            # A branch in each step costs a small model several times what the evaluations do.
            number, rows = evaluated
            with tf.control_dependencies([step]):
                batches = start + tf.cast(offset, tf.int64)
                row = probe.evaluate_if_due(offset, batches, step >= last_step)
            return offset, step, history, number + 1, rows.write(number, row)

        history = tf.TensorArray(tf.float32, size=capacity, element_shape=[_WIDTH])
        state = [tf.constant(0), first_step, history]
        if probe is not None:
            most = probe.most_rows(capacity) + -(-capacity // stretch)
            state.append(tf.constant(0))
            state.append(tf.TensorArray(tf.float32, size=most, element_shape=[probe.row_width]))
        offset, step, history, *evaluated = tf.while_loop(
            lambda offset, step, *_: (offset < limit) & (step < last_step),
            train_stretch,
            state,
            parallel_iterations=1,
        )
        return offset, step, history.stack(), *(rows.stack() for rows in evaluated[1:])

    arguments = [limit, last_step, iteration.read_value(), global_step.read_value()]
    compiled = tf.xla.experimental.compile(loop, arguments) if xla else loop(*arguments)
    return traced.train_loop(iteration, limit, last_step, *compiled)


def build_step(
    call_model: Callable, batch, iteration: tf.Variable, probe: Probe | None = None
) -> TrainLoop:
    """As `build`, without a loop: one step in a session call, for models that cannot loop.

    Args:
      call_model: takes a batch, returns the TPUEstimatorSpec of training.
      batch: what the input function returned.
      iteration: int64 variable, counts the iterations of the whole training.
      probe: evaluates the polarized regime where that is due.
    """
    limit, last_step = tf.placeholder(tf.int32, []), tf.placeholder(tf.int64, [])
    traced = _Traced.training(call_model, batch)
    with tf.control_dependencies([traced.train_op]):
        step = tf.train.get_global_step().read_value()
        history = traced.columns.row(traced.columns.size)[tf.newaxis]
        results = [step, history]
        if probe is not None:
            batches = iteration.read_value() + 1
            row = probe.evaluate_if_due(tf.constant(1), batches, step >= last_step)
            results.append(row[tf.newaxis])
    with tf.control_dependencies(results):
        done = tf.constant(1)
    return traced.train_loop(iteration, limit, last_step, done, *results)


def build_evaluation(call_model: Callable, model_input, seed: int, count: int) -> tuple:
    """Means over `count` batches, by a loop in the graph.

    Args:
      call_model: takes a batch, returns the TPUEstimatorSpec of evaluation.
      model_input: `inputs.ResidentInput`.
      seed: seed of the noise.
      count: number of batches.

    Returns:
      (names of the metrics, tensor [≥ metrics] of their values after the last batch).
    """
    noise = Noise(seed, tf.constant(0, tf.int64), count)
    names = []

    def body(offset, row):
        with noise.replace_stateful_ops(offset):
            spec = call_model(model_input.next_batch(noise))
        updates = metric_updates(spec)
        names[:] = updates
        with tf.control_dependencies(list(updates.values())):
            row = tf.pad(tf.stack(list(updates.values())), [[0, _WIDTH - len(updates)]])
            return offset + 1, row

    _, row = tf.while_loop(
        lambda offset, row: offset < count,
        body,
        [tf.constant(0), tf.zeros([_WIDTH])],
        parallel_iterations=1,
    )
    return names, row


def metric_updates(spec) -> dict[str, tf.Tensor]:
    """Name of each evaluation metric, the loss included → its running value, updated by a batch."""
    metrics = {}
    if spec.eval_metrics is not None:
        metric_fn, tensors = spec.eval_metrics
        metrics = metric_fn(**tensors) if isinstance(tensors, dict) else metric_fn(*tensors)
    metrics["loss"] = tf.metrics.mean(spec.loss)
    return {name: update for name, (_, update) in metrics.items()}


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

    def train_loop(
        self, iteration, limit, last_step, done, step, history, evaluations=None
    ) -> TrainLoop:
        with tf.control_dependencies([iteration.assign_add(tf.cast(done, tf.int64))]):
            done = tf.identity(done)
        watches = self.logging_hooks, self.summaries
        return TrainLoop(limit, last_step, done, step, history, *watches, evaluations)


def why_not_xla(graph: tf.Graph, on_gpu: bool) -> str | None:
    """What in the graph's loops keeps XLA from compiling them, or makes it lose; None: nothing."""
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            if node.op in _IMPOSSIBLE_UNDER_XLA:
                return "its data come from a Python generator"
            if not on_gpu and node.op.startswith(_LOSE_UNDER_XLA_ON_CPU):
                return f"{node.op} is faster without it on a CPU"
    return None
