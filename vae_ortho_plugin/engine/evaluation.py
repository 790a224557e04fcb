# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a trained model: means of its metrics over batches."""

import contextlib
from collections.abc import Callable

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.engine.in_graph import inputs
from vae_ortho_plugin.engine.in_graph.noise import Noise
from vae_ortho_plugin.engine.in_graph.summaries import Summaries, of_scalars

_MODE = "eval"


def evaluate(
    estimator, input_fn: Callable, checkpoint: str, directory: str
) -> dict[str, float | int]:
    """Means of a model's evaluation metrics and loss, and the global step, by name.

    They go to an event file in `directory`, too. `checkpoint` is the path of the weights.
    """
    try:
        means, step = _evaluate(estimator, input_fn, checkpoint, in_loop=True)
    except graphs.CannotLoop:
        means, step = _evaluate(estimator, input_fn, checkpoint, in_loop=False)
    with tf.Graph().as_default(), tf.summary.FileWriter(directory) as writer:
        writer.add_summary(of_scalars(means), step)
    return {**means, "global_step": step}


def _evaluate(
    estimator, input_fn: Callable, checkpoint: str, in_loop: bool
) -> tuple[dict[str, float], int]:
    """The means and the global step. `in_loop`: by one session call, where the data are in memory."""
    params, seed = estimator.params_for(_MODE), estimator.config.tf_random_seed

    def updates_of(batch) -> dict[str, tf.Tensor]:
        """Name of each metric and of the loss -> its running mean, updated by the batch."""
        spec, metrics = estimator.call_model(batch, _MODE), {}
        if spec.eval_metrics is not None:
            metric_fn, tensors = spec.eval_metrics
            metrics = metric_fn(**tensors) if isinstance(tensors, dict) else metric_fn(*tensors)
        metrics["loss"] = tf.metrics.mean(spec.loss)
        return {name: update for name, (_, update) in metrics.items()}

    with graphs.building() as graph, tf.Session() as session:
        tf.set_random_seed(seed)
        global_step = tf.train.create_global_step()
        resident = inputs.loop_input(input_fn, params) if in_loop else None
        if isinstance(resident, inputs.ResidentInput):
            if resident.num_batches is None:
                raise ValueError("evaluate() needs a number of batches: the input has no end.")
            with graphs.in_loop(graph):
                updates = _loop(updates_of, resident, seed, resident.num_batches)
        else:
            resident, updates = None, updates_of(input_fn(params))
        session.run([tf.local_variables_initializer(), tf.tables_initializer()])
        tf.train.Saver().restore(session, checkpoint)
        values = {}
        if resident is not None:
            resident.initialize(session)
            values = session.run(updates)
        else:
            with contextlib.suppress(tf.errors.OutOfRangeError):
                while True:
                    values = session.run(updates)
        means = {name: float(value) for name, value in values.items()}
        return means, int(session.run(global_step))


def _loop(updates_of: Callable, model_input, seed: int, count: int) -> dict[str, tf.Tensor]:
    """Name of each metric -> its value after `count` batches, by a loop in the graph."""
    noise = Noise(seed, tf.constant(0, tf.int64), count)
    names = []

    def body(offset, row):
        # A loop cannot write summaries, and an evaluation has none.
        with noise.replace_stateful_ops(offset), Summaries().caught():
            updates = updates_of(model_input.next_batch(noise))
        names[:] = updates
        with tf.control_dependencies(list(updates.values())):
            return offset + 1, tf.stack(list(updates.values()))

    _, row = tf.while_loop(
        lambda offset, row: offset < count,
        body,
        [tf.constant(0), tf.zeros([0])],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
        parallel_iterations=1,
    )
    return {name: row[index] for index, name in enumerate(names)}
