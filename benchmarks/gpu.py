# SPDX-License-Identifier: Apache-2.0
"""Training on a GPU, by batch size; a row fails unless data, loop and noise are placed there."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from unittest import mock

from benchmarks.framework import NotMeasured, Rate, Row, Series, Settings
from benchmarks.training import BARE, PLUGIN, bare, train_with_plugin
from benchmarks.trainings import DSPRITES_CONV, DSPRITES_FC, MNIST, NONLINEAR, Training

_NOISE = "StatelessRandomNormalV2"
# A loop compiled by XLA is one operation; one that is not has its products or convolutions.
_LOOP = ("XlaLaunch", "_XlaRun", "MatMul", "_FusedMatMul", "Conv2D", "_FusedConv2D")


@contextlib.contextmanager
def on_gpu(settings: Settings, training: Training, batch_size: int) -> Iterator[Callable]:
    """The plugin's training, after a short one that shows where its operations are."""
    bindings = (f"model.batch_size = {batch_size}",)
    found = placement(settings, training, bindings)
    elsewhere = {what: device for what, device in found.items() if "GPU" not in device}
    if elsewhere:
        raise NotMeasured(f"not on a GPU: {elsewhere}")
    run = functools.partial(train_with_plugin, settings, training, bindings)
    yield Rate(run, settings.seconds, training.first_steps)


def placement(settings: Settings, training: Training, bindings: tuple[str, ...]) -> dict[str, str]:
    """The devices of data, loop and noise in the last session call of a short training."""
    import disentanglement_lib  # noqa: F401
    import tensorflow.compat.v1 as tf

    from vae_ortho_plugin.engine.training_graph import TrainingGraph

    call_session, metadata = TrainingGraph.call_session, tf.RunMetadata()
    options = tf.RunOptions(output_partition_graphs=True)

    def noting(graph, limit, last_step):
        run = graph.session.run
        graph.session.run = lambda *args: run(*args, options=options, run_metadata=metadata)
        try:
            return call_session(graph, limit, last_step)
        finally:
            del graph.session.run

    with mock.patch.object(TrainingGraph, "call_session", noting):
        train_with_plugin(settings, training, bindings, 20)
    nodes = [node for graph in metadata.partition_graphs for node in graph.node]
    variables = [node for node in nodes if node.op == "VarHandleOp"]
    return {
        "data": max(variables, key=_size).device,
        "loop": next(node.device for kind in _LOOP for node in nodes if node.op == kind),
        "noise": next(node.device for node in nodes if node.op == _NOISE),
    }


def _size(variable) -> int:
    return math.prod(dimension.size for dimension in variable.attr["shape"].shape.dim)


def _row(name: str, training: Training, batch_size: int) -> Row:
    return Row(
        f"gpu-{name}-{batch_size}",
        f"Training on a GPU, {training.title}, batch {batch_size}",
        "steps/s",
        (
            Series(PLUGIN, functools.partial(on_gpu, training=training, batch_size=batch_size)),
            Series(
                BARE,
                functools.partial(bare, training=training, batch_size=batch_size),
                at_least=0.8,
            ),
        ),
    )


ROWS = tuple(
    _row(name, training, batch_size)
    for name, training in (
        ("train-synth-nonlinear", NONLINEAR),
        ("train-mnist", MNIST),
        ("train-dsprites-fc", DSPRITES_FC),
        ("train-dsprites-conv", DSPRITES_CONV),
    )
    for batch_size in (64, 1024)
)
# Rows of the processor that are measured on a GPU too.
ALSO = ("dto-5-latents", "dto-10-latents", "input")
