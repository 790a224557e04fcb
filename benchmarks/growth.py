# SPDX-License-Identifier: Apache-2.0
"""How cost grows: training with batch size and width, DtO and the score with their sizes."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import score
from benchmarks.framework import Rate, Row, Series, Settings
from benchmarks.training import train_with_plugin
from benchmarks.trainings import BATCH_SIZE, MNIST

BATCH_SIZES = (16, 64, 256, 1024)
WIDTHS = (100, 200, 400, 800, 1600)
DTO_POINTS = (100, 1000, 10_000)
DTO_LATENTS = (2, 5, 10, 20)
DTO_OUTPUTS = (64, 256, 1024, 4096, 16_384)
SCORE_POINTS = (1000, 10_000, 100_000, 1_000_000)


@contextlib.contextmanager
def training(settings: Settings, bindings: tuple[str, ...], first: int) -> Iterator[Callable]:
    """Steps a second of dlib_train on the MNIST network, changed by the bindings."""
    run = functools.partial(train_with_plugin, settings, MNIST, bindings)
    yield Rate(run, settings.seconds / 2, max(1, first))


def _batch_size(size: int) -> Series:
    bindings = (f"model.batch_size = {size}",)
    first = MNIST.first_steps * BATCH_SIZE // size // 2

    @contextlib.contextmanager
    def samples(settings: Settings) -> Iterator[Callable]:
        with training(settings, bindings, first) as steps:
            yield lambda: size * steps()

    return Series(str(size), samples)


def _width(width: int) -> Series:
    bindings = (f"mlp_encoder.layers = [{width}]", f"mlp_decoder.layers = [{width}, {width}]")
    first = MNIST.first_steps * 200 // width
    return Series(str(width), functools.partial(training, bindings=bindings, first=first))


@contextlib.contextmanager
def dto(settings: Settings, latents: int, outputs: int, points: int) -> Iterator[Callable]:
    """Milliseconds for DtO of a decoder with three hidden layers of 1,200 tanh units."""
    import disentanglement_lib  # noqa: F401
    import tensorflow.compat.v1 as tf

    from vae_ortho_plugin.decoder.forward_mode import forward_jacobian
    from vae_ortho_plugin.decoder.trained_model import BATCH_SIZE as DTO_BATCH
    from vae_ortho_plugin.measures import distance_to_orthogonality, triangular_factors

    with tf.Graph().as_default():
        feed = tf.placeholder(tf.float32, [None, latents])
        hidden = feed
        for _ in range(3):
            hidden = tf.layers.dense(hidden, 1200, tf.tanh)
        fetch = forward_jacobian(tf.layers.dense(hidden, outputs, tf.sigmoid), feed)
        session = tf.Session()
        session.run(tf.global_variables_initializer())
    codes = np.random.default_rng(0).normal(size=(points, latents))

    def measure() -> float:
        start = time.perf_counter()
        factors = [
            triangular_factors(session.run(fetch, {feed: codes[i : i + DTO_BATCH]}).swapaxes(1, 2))
            for i in range(0, points, DTO_BATCH)
        ]
        distance_to_orthogonality(np.concatenate(factors))
        return 1000 * (time.perf_counter() - start)

    with session:
        measure()
        yield measure


def _dto(name: object, latents: int = 5, outputs: int = 4096, points: int = 256) -> Series:
    make = functools.partial(dto, latents=latents, outputs=outputs, points=points)
    return Series(str(name), make)


def _score(points: int) -> Series:
    @contextlib.contextmanager
    def measure(settings: Settings) -> Iterator[Callable]:
        from vae_ortho_plugin.measures.disentanglement_score import disentanglement_score

        latents, factors = score.example(points)
        yield lambda: score.seconds(disentanglement_score, latents, factors, score.KINDS)

    return Series(str(points), measure)


ROWS = (
    Row(
        "growth-batch-size",
        "Training, MNIST network",
        "samples/s",
        tuple(map(_batch_size, BATCH_SIZES)),
        axis="batch size",
    ),
    Row(
        "growth-width",
        "Training, MNIST network, batch 64",
        "steps/s",
        tuple(map(_width, WIDTHS)),
        axis="units in each of the 3 hidden layers",
    ),
    Row(
        "growth-dto-points",
        "DtO, 5 latents, 784 outputs",
        "ms",
        tuple(_dto(points, outputs=784, points=points) for points in DTO_POINTS),
        axis="points",
    ),
    Row(
        "growth-dto-latents",
        "DtO of 256 points, 4,096 outputs",
        "ms",
        tuple(_dto(latents, latents=latents) for latents in DTO_LATENTS),
        axis="latents",
    ),
    Row(
        "growth-dto-outputs",
        "DtO of 256 points, 5 latents",
        "ms",
        tuple(_dto(outputs, outputs=outputs) for outputs in DTO_OUTPUTS),
        axis="outputs",
    ),
    Row(
        "growth-score",
        "Disentanglement score, 10 latents, 5 factors",
        "s",
        tuple(map(_score, SCORE_POINTS)),
        axis="points",
    ),
)
