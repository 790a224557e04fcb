# SPDX-License-Identifier: Apache-2.0
"""A local estimator with the contract of TensorFlow 1's TPUEstimator, as far as dlib uses it.

A session call trains many steps inside the graph, as TPUEstimator does (see `in_graph.loop`), or one where
the model or its input cannot run in a loop. Hooks, summaries and checkpoints come at their intervals.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import graphs, progress
from vae_ortho_plugin.engine.checkpoints import Checkpoints
from vae_ortho_plugin.engine.in_graph import inputs
from vae_ortho_plugin.engine.in_graph.noise import Noise
from vae_ortho_plugin.engine.in_graph.summaries import Summaries, of_scalars
from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph
from vae_ortho_plugin.engine.settings import TrainingLoop
from vae_ortho_plugin.engine.tracker import Trackers
from vae_ortho_plugin.engine.training_run import TrainingRun

# Called with the model function, the shape of an observation and the graph of the training run.
Check = Callable[[Callable, list[int] | None, tf.Graph], None]

_handed_over: ContextVar[tuple[Path | None, Check | None]] = ContextVar(
    "handed_over_to_estimators", default=(None, None)
)


@contextlib.contextmanager
def handed_over(checkpoints: Path | None, before_first_step: Check | None = None) -> Iterator[None]:
    """Within: every estimator gets these two; dlib, which makes the estimators, does not know of them.

    From the newest checkpoint in the directory `checkpoints`, `train` continues; `before_first_step` is called when
    the graph has been built and no step has been done.
    """
    token = _handed_over.set((checkpoints, before_first_step))
    try:
        yield
    finally:
        _handed_over.reset(token)


class ModeKeys:
    """Names of an estimator's modes."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


@dataclasses.dataclass
class TPUConfig:
    """Of dlib, which asks for loops of 500 steps. `training_loop` decides how many a session call has."""

    iterations_per_loop: int = 500


@dataclasses.dataclass
class RunConfig:
    """How the estimator runs, as far as dlib says it; `save_summary_steps`: None writes no summaries."""

    tf_random_seed: int = 1
    keep_checkpoint_max: int = 5
    save_summary_steps: int | None = 100
    tpu_config: TPUConfig = dataclasses.field(default_factory=TPUConfig)


@dataclasses.dataclass
class TPUEstimatorSpec:
    """What a model function returns."""

    mode: str
    loss: tf.Tensor | None = None
    train_op: tf.Operation | None = None
    eval_metrics: tuple[Callable, list | dict] | None = None
    training_hooks: list[tf.train.SessionRunHook] | None = None


class TPUEstimator:
    """Trains and evaluates a model function on this machine.

    Args:
        model_fn: takes features, labels, mode and params and returns a `TPUEstimatorSpec`.
        model_dir: directory of checkpoints and event files.
        config: a `RunConfig`.
        train_batch_size: params["batch_size"] in training.
        eval_batch_size: params["batch_size"] in evaluation.
        use_tpu: dlib says false.
    """

    def __init__(
        self,
        model_fn: Callable,
        model_dir: str,
        config: RunConfig,
        train_batch_size: int,
        eval_batch_size: int | None = None,
        use_tpu: bool = False,
    ):
        self.model_dir, self.config, self._model_fn = model_dir, config, model_fn
        self._batch_sizes = {ModeKeys.TRAIN: train_batch_size, ModeKeys.EVAL: eval_batch_size}
        self.trackers: Trackers | None = None
        self._observation_shape: list[int] | None = None  # known once the model is called

    def latest_checkpoint(self) -> str | None:
        """Path of the newest checkpoint in model_dir."""
        return tf.train.latest_checkpoint(self.model_dir)

    def train(self, input_fn: Callable, steps: int):
        """Trains for `steps` more steps; zero leaves the initial weights.

        Continues from the newest checkpoint in model_dir, if there is one.

        Raises:
            NonFiniteLossError: the loss became NaN or infinite; names the step and the last checkpoint.
            InputError: a tracker does not fit the model.
        """
        settings = TrainingLoop()
        directory, before_first_step = _handed_over.get()
        checkpoints = checkpoint = None
        trains = steps != 0
        if trains and settings.resume and directory and self.latest_checkpoint() is None:
            checkpoints = Checkpoints(directory)
            if checkpoint := checkpoints.newest():
                progress.say(f"continuing from {checkpoint}")
                trains = checkpoint.step < checkpoint.last_step
        if not trains:
            settings = dataclasses.replace(settings, xla="off")
        if self.trackers is None:
            params = self.params_for(ModeKeys.TRAIN)
            self.trackers = Trackers(self._model_fn, input_fn, params)
        graph = TrainingGraph.fastest(self, input_fn, settings)
        with contextlib.closing(graph.session):
            if before_first_step is not None:
                before_first_step(self._model_fn, self._observation_shape, graph.graph)
            run = TrainingRun(self, graph, settings, checkpoints)
            if checkpoint is not None:
                run.continue_from(checkpoint)
                run.train_to(checkpoint.last_step)
            else:
                run.train_to(graph.step + steps)
        return self

    def evaluate(self, input_fn: Callable, name: str | None = None) -> dict[str, float | dict]:
        """Means of the model's evaluation metrics and of its loss over the batches of an input function.

        The weights are those of the newest checkpoint in model_dir. After `train`, the results of its trackers
        too, under their names. Evaluations of different names are told apart in TensorBoard.
        """
        if (checkpoint := self.latest_checkpoint()) is None:
            raise ValueError(f"There is no checkpoint in {self.model_dir}: train the model first.")
        try:
            means, step = self._evaluated(input_fn, checkpoint, in_loop=True)
        except graphs.CannotLoop:
            means, step = self._evaluated(input_fn, checkpoint, in_loop=False)
        directory = os.path.join(self.model_dir, "eval" if name is None else f"eval_{name}")
        with tf.Graph().as_default(), tf.summary.FileWriter(directory) as writer:
            writer.add_summary(of_scalars(means), step)
        measured = {} if self.trackers is None else self.trackers.results(step)
        return {**means, "global_step": step, **measured}

    def _evaluated(
        self, input_fn: Callable, checkpoint: str, in_loop: bool
    ) -> tuple[dict[str, float], int]:
        """The means and the global step. `in_loop`: by one session call, where the data are in memory."""
        params, seed = self.params_for(ModeKeys.EVAL), self.config.tf_random_seed
        with graphs.building() as graph, tf.Session() as session:
            tf.set_random_seed(seed)
            global_step = tf.train.create_global_step()
            resident = inputs.loop_input(input_fn, params) if in_loop else None
            if isinstance(resident, inputs.ResidentInput):
                if resident.num_batches is None:
                    raise ValueError("evaluate() needs a number of batches: the input has no end.")
                with graphs.in_loop(graph):
                    updates = self._evaluation_loop(resident, seed, resident.num_batches)
            else:
                resident, updates = None, self._updates(input_fn(params))
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

    def _updates(self, batch) -> dict[str, tf.Tensor]:
        """Name of each metric and of the loss -> its running mean, updated by the batch."""
        spec, metrics = self.call_model(batch, ModeKeys.EVAL), {}
        if spec.eval_metrics is not None:
            metric_fn, tensors = spec.eval_metrics
            metrics = metric_fn(**tensors) if isinstance(tensors, dict) else metric_fn(*tensors)
        metrics["loss"] = tf.metrics.mean(spec.loss)
        return {name: update for name, (_, update) in metrics.items()}

    def _evaluation_loop(self, model_input, seed: int, count: int) -> dict[str, tf.Tensor]:
        """Name of each metric -> its value after `count` batches, by a loop in the graph."""
        noise = Noise(seed, tf.constant(0, tf.int64), count)
        names = []

        def body(offset, row):
            # A loop cannot write summaries, and an evaluation has none.
            with noise.replace_stateful_ops(offset), Summaries().caught():
                updates = self._updates(model_input.next_batch(noise))
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

    def params_for(self, mode: str) -> dict:
        """What the input function and the model function are called with in a mode."""
        return {"batch_size": self._batch_sizes[mode]}

    def call_model(self, batch, mode: str) -> TPUEstimatorSpec:
        """Calls the model function with a batch of (features, labels), or of features alone."""
        features, labels = batch if isinstance(batch, tuple) else (batch, None)
        if isinstance(features, tf.Tensor):
            self._observation_shape = features.shape.as_list()[1:]
        return self._model_fn(features, labels, mode=mode, params=self.params_for(mode))


def assign_from_checkpoint_fn(model_path: str, var_list: dict | list) -> Callable:
    """A function that restores variables from a checkpoint in the session it is given.

    `var_list` has the variables, or name in the checkpoint -> variable.
    """
    saver = tf.train.Saver(var_list)
    return lambda session: saver.restore(session, model_path)
