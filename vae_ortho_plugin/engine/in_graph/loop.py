# SPDX-License-Identifier: Apache-2.0
"""The training loop inside the graph: many steps in one session call, by XLA where that wins.

The model function is called once, in the body of a tf.while_loop. TensorFlow lifts the variables that it
makes out of the loop. What the model gives to logging hooks and summaries lives in that body too: its
values leave the loop as one row for each step.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.graphs import CannotLoop
from vae_ortho_plugin.engine.in_graph.noise import Noise
from vae_ortho_plugin.engine.in_graph.summaries import Entry, LargeSummary, Row, Summaries
from vae_ortho_plugin.engine.tracker import LoopTracker
from vae_ortho_plugin.errors import InputError

# Compiled by XLA for a CPU, a convolution is many times slower than TensorFlow's own.
_SLOW_UNDER_XLA_ON_CPU = ("Conv2D", "Conv3D", "DepthwiseConv2d", "MaxPool", "AvgPool")
_IMPOSSIBLE_UNDER_XLA = ("IteratorGetNext", "PyFunc", "EagerPyFunc", "PyFuncStateless")

# Columns of a row; it must be known before the model is traced.
_WIDTH = 64


class Probe:
    """One `LoopTracker` in one graph. Made in the default graph before the model is built there."""

    def __init__(self, tracker: LoopTracker):
        self.tracker = tracker
        self.row_width = 1 + tracker.row_width  # of `row_if_due`
        self._placeholder = tf.placeholder(tf.float32, tracker.points.shape)
        self._variable = tf.Variable(
            self._placeholder, trainable=False, collections=[], name="probe_points"
        )

    def initialize(self, session: tf.Session) -> None:
        session.run(self._variable.initializer, {self._placeholder: self.tracker.points})

    def row_if_due(self, offset: tf.Tensor, batches: tf.Tensor, at_end: tf.Tensor) -> tf.Tensor:
        """[offset, *row of the tracker] in float32; zeros if no measurement is due.

        `offset` (int32, at least 1) counts the batches of the session call, `batches` (int64) those of the whole
        training run; `at_end` is whether no more follow.
        """

        def measured() -> tf.Tensor:
            row = self.tracker.row(self._variable.read_value())
            return tf.concat([tf.cast(offset, tf.float32)[tf.newaxis], row], 0)

        due = at_end | tf.equal(batches % self.tracker.every, 0)
        return tf.cond(due, measured, lambda: tf.zeros([self.row_width]))

    def final(self) -> tf.Tensor | None:
        return self.tracker.final(self._variable.read_value())


class ModelStep:
    """One training step of the model in the default graph, and what the model reports of it.

    `call_model` takes a batch and returns the TPUEstimatorSpec of training. Column 0 of `row` is the loss.
    """

    def __init__(self, call_model: Callable, batch):
        self.row, summaries = Row(), Summaries()
        with summaries.caught():
            spec = call_model(batch)
        self.row.add("loss", spec.loss)
        # With the entries of its tensors in its order.
        self.logging_hooks: list[tuple[tf.train.LoggingTensorHook, list[Entry]]] = []
        self.counters: list[tf.train.StepCounterHook] = []
        for hook in spec.training_hooks or ():
            if type(hook) is tf.train.StepCounterHook:
                self.counters.append(hook)
            elif type(hook) is tf.train.LoggingTensorHook:
                entries = [self.row.add(tag, hook._tensors[tag]) for tag in hook._tag_order]
                self.logging_hooks.append((hook, entries))
            else:
                raise InputError(
                    f"The model function asks for a training hook {type(hook).__name__}. Many steps run "
                    "in one session call, so that only LoggingTensorHook and StepCounterHook are known "
                    "here. Take tf.summary for values over the training run, or a tracker (docs/training.md)."
                )
        self.scalars = [self.row.add(name, one) for name, one in summaries.scalars.items()]
        self.large_summaries: list[LargeSummary]
        self.large_summaries, updates = summaries.large()
        self.train_op = tf.group(spec.train_op, *updates) if updates else spec.train_op


@dataclasses.dataclass
class TrainLoop:
    """What a session call runs."""

    limit: tf.Tensor  # int32 placeholder, steps of the next session call, at most its capacity
    last_step: tf.Tensor  # int64 placeholder, global step at which training ends
    done: tf.Tensor  # int32, steps that the call did
    global_step: tf.Tensor  # int64, after the call
    history: tf.Tensor  # float32 [capacity, columns], the row of each step
    probed: list[tf.Tensor]  # for each probe float32 [stretches, row_width], rows of `row_if_due`
    step: ModelStep  # the step in the loop
    unkeyed: set[str]  # kinds of random operations that do not depend on seed and iteration alone
    start: tf.Tensor | None = None  # int64, to feed the batches before the call; None in a loop


def build(
    call_model: Callable,
    model_input,
    seed: int,
    capacity: int,
    iteration: tf.Variable,
    xla: bool,
    probes: Sequence[Probe],
) -> TrainLoop:
    """Builds the training loop in the default graph.

    A session call has at most `capacity` steps. `iteration`, an int64 variable, counts the batches of the whole
    training run; `model_input` is `inputs.ResidentInput` or `inputs.IteratorInput`.

    Raises:
        CannotLoop: the model function does something that a loop in the graph does not allow.
    """
    limit = tf.placeholder(tf.int32, [], name="iterations")
    last_step = tf.placeholder(tf.int64, [], name="last_step")
    start = iteration.read_value()
    noise = Noise(seed, start, capacity, limit)
    model_steps = []

    def model_step(offset: tf.Tensor) -> ModelStep:
        with noise.replace_stateful_ops(offset):
            model_steps.append(ModelStep(call_model, model_input.next_batch(noise)))
        return model_steps[-1]

    def session_call(*tensors: tf.Tensor) -> list[tf.Tensor]:
        return _session_call(model_step, capacity, probes, *tensors)

    arguments = [limit, last_step, start, tf.train.get_global_step().read_value()]
    if xla:
        built = tf.xla.experimental.compile(session_call, arguments)
    else:
        built = session_call(*arguments)
    done, step, history, *probed = built
    done = _counted(iteration, done)
    return TrainLoop(limit, last_step, done, step, history, probed, model_steps[-1], noise.unkeyed)


def build_step(
    call_model: Callable,
    draw: Callable,
    seed: int,
    iteration: tf.Variable,
    probes: Sequence[Probe],
) -> tuple[TrainLoop, object]:
    """As `build`, for models that cannot loop: a call is one step, of the batch that `draw` builds.

    Returns the batch, too.
    """
    limit, last_step = tf.placeholder(tf.int32, []), tf.placeholder(tf.int64, [])
    # With a default, since initial values of variables are drawn from it where a model computes them.
    start = tf.placeholder_with_default(np.int64(0), [])
    noise = Noise(seed, start, 1)
    with noise.replace_stateful_ops(tf.constant(0)):
        batch = draw()
        model_step = ModelStep(call_model, batch)
    with tf.control_dependencies([model_step.train_op]):
        step = tf.train.get_global_step().read_value()
        history = model_step.row.padded_to(model_step.row.size)[tf.newaxis]
        batches = iteration.read_value() + 1
        probed = []
        for probe in probes:
            row = probe.row_if_due(tf.constant(1), batches, step >= last_step)
            probed.append(row[tf.newaxis])
    with tf.control_dependencies([step, history, *probed]):
        done = tf.constant(1)
    tensors = limit, last_step, _counted(iteration, done), step, history, probed
    return TrainLoop(*tensors, model_step, noise.unkeyed, start), batch


def _counted(iteration: tf.Variable, done: tf.Tensor) -> tf.Tensor:
    """`done`, once it has been added to the batches of the training run."""
    with tf.control_dependencies([iteration.assign_add(tf.cast(done, tf.int64))]):
        return tf.identity(done)


def _session_call(
    model_step: Callable[[tf.Tensor], ModelStep],
    capacity: int,
    probes: Sequence[Probe],
    limit: tf.Tensor,
    last_step: tf.Tensor,
    start: tf.Tensor,
    first_step: tf.Tensor,
) -> list[tf.Tensor]:
    """The loop of a session call: stretches of steps, each a loop of its own.

    A stretch ends where a tracker measures. (A branch in each step costs a small model several times
    what the measurements do.) `model_step` builds a step, for its int32 place in the session call. Before the
    call there were `start` batches (int64), and the global step was `first_step`.

    Returns steps done, global step, history, and rows of each probe (see `TrainLoop`).
    """
    history = tf.TensorArray(tf.float32, size=capacity, element_shape=[_WIDTH])
    most = 1 + sum(capacity // probe.tracker.every + 2 for probe in probes)  # stretches
    rows = [
        tf.TensorArray(tf.float32, size=most, element_shape=[probe.row_width]) for probe in probes
    ]

    def stretch(number, offset, step, history, *rows):
        end = limit
        for probe in probes:
            every, batches = probe.tracker.every, start + tf.cast(offset, tf.int64)
            end = tf.minimum(end, offset + tf.cast(every - batches % every, tf.int32))

        def body(offset, step, history):
            built = model_step(offset)
            with tf.control_dependencies([built.train_op]):
                history = history.write(offset, built.row.padded_to(_WIDTH))
                return offset + 1, tf.train.get_global_step().read_value(), history

        offset, step, history = tf.while_loop(
            lambda offset, step, history: (offset < end) & (step < last_step),
            body,
            [offset, step, history],
            parallel_iterations=1,
        )
        with tf.control_dependencies([step]):
            batches = start + tf.cast(offset, tf.int64)
            rows = [
                row.write(number, probe.row_if_due(offset, batches, step >= last_step))
                for probe, row in zip(probes, rows, strict=True)
            ]
        return number + 1, offset, step, history, *rows

    _, offset, step, history, *rows = tf.while_loop(
        lambda number, offset, step, *_: (offset < limit) & (step < last_step),
        stretch,
        [tf.constant(0), tf.constant(0), first_step, history, *rows],
        parallel_iterations=1,
    )
    return [offset, step, history.stack(), *(row.stack() for row in rows)]


def check_that_xla_wins(graph: tf.Graph) -> None:
    """Raises CannotLoop if something in the graph's loops is impossible under XLA, or slower."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            if node.op in _IMPOSSIBLE_UNDER_XLA:
                raise CannotLoop("its data come from a Python generator")
            if not on_gpu and node.op.startswith(_SLOW_UNDER_XLA_ON_CPU):
                raise CannotLoop(f"{node.op} is faster without it on a CPU")
