# SPDX-License-Identifier: Apache-2.0
"""Training steps a second: dlib_train, dlib on TensorFlow 1.14, dlib a session call a step, and a bare loop."""

import contextlib
import functools
import shutil
import time
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np

from benchmarks import environment_tf114, environment_torch
from benchmarks.data import data_root
from benchmarks.framework import Rate, Row, Series, Settings, bench_extra
from benchmarks.trainings import (
    BATCH_SIZE,
    DSPRITES_CONV,
    DSPRITES_FC,
    LINEAR,
    MNIST,
    NONLINEAR,
    NONLINEAR_SIGMA,
    Training,
)

PLUGIN, PER_STEP, BARE = "plugin", "dlib, current TensorFlow, a session call a step", "bare loop"
# Number of steps of the plugin's first session call.
WARM_UP_STEPS = 10


@contextlib.contextmanager
def plugin(settings: Settings, training: Training, *bindings: str) -> Iterator[Callable]:
    """dlib_train, from its first step to its last: with its logs and summaries."""
    run = functools.partial(train_with_plugin, settings, training, bindings)
    yield Rate(run, settings.seconds, training.first_steps)


def train_with_plugin(
    settings: Settings, training: Training, bindings: tuple[str, ...], steps: int
) -> float:
    """Trains by what dlib_train calls; returns the seconds of `steps` steps after the first session call.

    The time to build and compile the graph, to export and to evaluate is not in it, nor the time of
    checkpoints: a short training saves as many of them as ten minutes of a long one.
    """
    data_root(settings, training.data_set)
    from disentanglement_lib.methods.unsupervised import train

    files, common = training.configuration
    directory = settings.scratch / "trained"
    bindings = [*common, *bindings, f"model.training_steps = {steps + WARM_UP_STEPS}"]
    with Stopwatch() as stopwatch:
        train.train_with_gin(str(directory), True, files, bindings)
    shutil.rmtree(directory)
    return stopwatch.seconds(steps)


class Stopwatch(contextlib.ExitStack):
    """Takes the time of the plugin's training within this context."""

    def __init__(self):
        super().__init__()
        import disentanglement_lib  # noqa: F401

        from vae_ortho_plugin.engine.training import Training as EngineTraining
        from vae_ortho_plugin.engine.training_graph import TrainingGraph

        self._started, self._paused = 0.0, 0.0
        train_to, call = EngineTraining.train_to, TrainingGraph.call_session
        save, keep = EngineTraining.save, EngineTraining._keep

        def timed_training(training, last_step):
            self._started = None
            train_to(training, last_step)
            self._ended, self._last_step = time.perf_counter(), last_step

        def timed_call(graph, *arguments):
            result = call(graph, *arguments)
            if self._started is None:
                self._started, self._first_step = time.perf_counter(), result[1]
            return result

        def paused(method):
            def timed(training):
                start = time.perf_counter()
                result = method(training)
                if self._started is not None:
                    self._paused += time.perf_counter() - start
                return result

            return timed

        for kind, name, method in (
            (EngineTraining, "train_to", timed_training),
            (TrainingGraph, "call_session", timed_call),
            (EngineTraining, "save", paused(save)),
            (EngineTraining, "_keep", paused(keep)),
        ):
            self.enter_context(mock.patch.object(kind, name, method))

    def seconds(self, steps: int) -> float:
        """Seconds for this number of steps, measured after the first session call, without checkpoints."""
        seconds = self._ended - self._started - self._paused
        return seconds * steps / (self._last_step - self._first_step)


@contextlib.contextmanager
def in_tf114(settings: Settings, training: Training) -> Iterator[Callable]:
    """The steps of dlib_train on TensorFlow 1.14, by its own estimator."""
    environment_tf114.python_tf114(settings)
    data_root(settings, training.data_set)
    files, bindings = training.configuration
    arguments = ["--on_request=steps", f"--model_dir={settings.scratch / 'trained_in_tf114'}"]
    arguments += [f"--gin_config={file}" for file in files]
    arguments += [f"--gin_bindings={binding}" for binding in bindings]
    arguments += ["--gin_bindings=model.training_steps = 0"]
    if training.data_set != "dsprites_full":
        points = settings.scratch / f"{training.data_set}.npy"
        array, scale = _resident(training)
        np.save(points, array * np.float32(scale))
        arguments += ["--points", training.data_set, str(points)]
    log = settings.scratch / "train_in_tf114.log"
    with environment_tf114.on_request(settings, arguments, log) as request:
        request(1)
        yield Rate(request, settings.seconds, 10)


def _resident(training: Training) -> tuple[np.ndarray, float]:
    import disentanglement_lib.data.ground_truth.named_data  # noqa: F401
    from disentanglement_lib.data.ground_truth import dsprites

    from vae_ortho_plugin.data import NAMED
    from vae_ortho_plugin.data.sampling.resident import resident_observations

    make = NAMED.get(training.data_set, dsprites.DSprites)
    return resident_observations(make())


@contextlib.contextmanager
def per_step(settings: Settings, training: Training) -> Iterator[Callable]:
    """dlib's model and generator under a session call a step, with its hooks, on current TensorFlow."""
    data_root(settings, training.data_set)
    import tensorflow.compat.v1 as tf
    from disentanglement_lib.methods.unsupervised import train

    class Built(Exception):
        pass

    built = []

    class Estimator:
        """In place of dlib's TPUEstimator: builds the training and leaves it to `run`."""

        def __init__(self, model_fn, train_batch_size, **_):
            self._model_fn, self._params = model_fn, {"batch_size": train_batch_size}

        def train(self, input_fn, steps):
            with tf.Graph().as_default():
                tf.train.create_global_step()
                batch = input_fn(self._params)
                spec = self._model_fn(batch, None, tf.estimator.ModeKeys.TRAIN, self._params)
                session = tf.train.MonitoredTrainingSession(
                    checkpoint_dir=str(settings.scratch / "per_step"),
                    hooks=spec.training_hooks,
                    log_step_count_steps=None,
                )
            built.extend([session, [spec.train_op, spec.loss]])
            raise Built

    files, bindings = training.configuration
    # Of another row, if that one was stopped.
    shutil.rmtree(settings.scratch / "per_step", ignore_errors=True)
    directory = str(settings.scratch / "not_trained")
    with (
        contextlib.suppress(Built),
        mock.patch.object(train.contrib_tpu, "TPUEstimator", Estimator),
    ):
        train.train_with_gin(directory, True, files, [*bindings, "model.training_steps = 0"])
    session, fetches = built

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            session.run(fetches)
        return time.perf_counter() - start

    try:
        run(1)
        yield Rate(run, settings.seconds, 10)
    finally:
        # It saves a checkpoint, by operations that it adds to its graph.
        with session.graph.as_default():
            session.close()
    shutil.rmtree(settings.scratch / "per_step", ignore_errors=True)


@contextlib.contextmanager
def bare(
    settings: Settings, training: Training, batch_size: int = BATCH_SIZE
) -> Iterator[Callable]:
    """The loop of bare_loop.py on the same data."""
    data_root(settings, training.data_set)
    observations, scale = _resident(training)
    from benchmarks.bare_loop import BareLoop

    # A call of a few thousand steps where a step takes microseconds.
    capacity = 10_000 if training.first_steps >= 10_000 else 500
    loop = BareLoop(
        training.architecture(), observations, scale, batch_size, capacity, training.xla
    )
    with contextlib.closing(loop):
        loop(1)
        yield Rate(loop, settings.seconds, max(1, training.first_steps // 4))


@contextlib.contextmanager
def in_jax(settings: Settings, training: Training, ahead: bool) -> Iterator[Callable]:
    """The loop of jax_loop.py on the same data."""
    with bench_extra():
        from benchmarks.jax_loop import JaxLoop
    data_root(settings, training.data_set)
    observations, scale = _resident(training)
    steps = min(10_000, max(1, training.first_steps // 8))
    loop = JaxLoop(training.architecture(), observations, scale, BATCH_SIZE, steps, ahead)
    loop(1)
    yield Rate(loop, settings.seconds, steps)


def _beside_jax(training: Training, at_least: float) -> tuple[Series, ...]:
    return tuple(
        Series(
            f"JAX, one scan, draws {where}",
            functools.partial(in_jax, training=training, ahead=ahead),
            at_least=at_least,
        )
        for where, ahead in (("before it", True), ("in each step", False))
    )


@contextlib.contextmanager
def in_torch(settings: Settings, training: Training, mode: str) -> Iterator[Callable]:
    """The training of train_in_torch.py on the same data."""
    environment_torch.python_torch(settings)
    data_root(settings, training.data_set)
    arguments = training.architecture(), *_resident(training), BATCH_SIZE
    with environment_torch.training(settings, mode, *arguments) as request:
        yield Rate(request, settings.seconds, 10)


def _beside_torch(training: Training, *modes: str) -> tuple[Series, ...]:
    return tuple(
        Series(
            environment_torch.MODES[mode],
            functools.partial(in_torch, training=training, mode=mode),
            at_least=1.0,
        )
        for mode in modes
    )


def _row(
    name: str,
    training: Training,
    over_tf114: float | None = None,
    of_bare: float | None = None,
    others: tuple[Series, ...] = (),
) -> Row:
    def series(name: str, open_: Callable, **goal: float | None) -> Series:
        return Series(name, functools.partial(open_, training=training), **goal)

    return Row(
        name,
        f"Training, {training.title}, batch {BATCH_SIZE}",
        "steps/s",
        (
            series(PLUGIN, plugin),
            series(environment_tf114.NAME, in_tf114, at_least=over_tf114),
            series(PER_STEP, per_step),
            series(BARE, bare, at_least=of_bare),
            *others,
        ),
    )


ROWS = (
    _row(
        "train-synth-linear",
        LINEAR,
        over_tf114=200,
        of_bare=0.8,
        others=(*_beside_jax(LINEAR, 1.4), *_beside_torch(LINEAR, "eager", "compiled")),
    ),
    _row(
        "train-synth-nonlinear",
        NONLINEAR,
        of_bare=0.8,
        others=(*_beside_jax(NONLINEAR, 1.0), *_beside_torch(NONLINEAR, "eager", "compiled")),
    ),
    Row(
        "train-synth-nonlinear-sigma",
        f"Training, {NONLINEAR_SIGMA.title}, batch {BATCH_SIZE}",
        "steps/s",
        (
            Series(PLUGIN, functools.partial(plugin, training=NONLINEAR_SIGMA)),
            Series("plugin, β-VAE", functools.partial(plugin, training=NONLINEAR), at_least=0.85),
            Series(BARE, functools.partial(bare, training=NONLINEAR_SIGMA), at_least=0.8),
        ),
    ),
    _row(
        "train-mnist",
        MNIST,
        over_tf114=3,
        of_bare=0.8,
        others=(*_beside_jax(MNIST, 1.0), *_beside_torch(MNIST, *environment_torch.MODES)),
    ),
    _row(
        "train-dsprites-fc",
        DSPRITES_FC,
        over_tf114=1.7,
        # A second variant of JAX would hold another three gigabytes of data.
        others=(
            *_beside_jax(DSPRITES_FC, 1.0)[:1],
            *_beside_torch(DSPRITES_FC, *environment_torch.MODES),
        ),
    ),
    _row("train-dsprites-conv", DSPRITES_CONV, over_tf114=2.2),
)
