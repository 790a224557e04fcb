# SPDX-License-Identifier: Apache-2.0
"""DtO: points a second on dSprites' fully connected decoder, and memory for 70,000 points."""

import contextlib
import functools
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import environment_torch, products
from benchmarks.data import data_root
from benchmarks.framework import NotMeasured, Rate, Row, Series, Settings, bench_extra
from benchmarks.machine import ROOT
from benchmarks.training import PLUGIN

SHAPE = (64, 64, 1)
# Between the layers of dlib's fc_decoder, after the latents.
WIDTHS = (1200, 1200, 1200, math.prod(SHAPE))


def untrained_model(settings: Settings, data_set: str, latents: int) -> Path:
    """Directory of a model of the data set's networks with initial weights, made by dlib_train."""
    directory = settings.scratch / f"untrained_{data_set}_{latents}"
    if not directory.exists():
        data_root(settings, data_set)
        from disentanglement_lib.methods.unsupervised import train

        bindings = [
            f"encoder.num_latent = {latents}",
            "model.training_steps = 0",
            "model.eval_steps = 1",
        ]
        if data_set == "dsprites":
            bindings.append("dataset.name = 'dummy_data'")  # of the same size, and quick to load
        files = [
            str(ROOT / "gin_configs" / name) for name in ("vae.gin", f"datasets/{data_set}.gin")
        ]
        train.train_with_gin(str(directory), False, files, bindings)
    return directory


def _points(latents: int, count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, latents)).astype(np.float32)


def _rate(distances: Callable[[int], np.ndarray], seconds: float, first: int) -> Rate:
    def run(count: int) -> float:
        start = time.perf_counter()
        distances(count)
        return time.perf_counter() - start

    run(1)
    return Rate(run, seconds, first)


@contextlib.contextmanager
def plugin(settings: Settings, latents: int) -> Iterator[Callable]:
    """What the metric `dto` does for given latents: Jacobians, their R of QR, distances."""
    model_dir = untrained_model(settings, "dsprites", latents)
    from vae_ortho_plugin.decoder.trained_model import open_model
    from vae_ortho_plugin.measures.dto import distance_to_orthogonality

    with open_model(str(model_dir)) as model:

        def distances(count: int) -> np.ndarray:
            factors = model.jacobian_factors(_points(latents, count))
            return distance_to_orthogonality(factors).per_point

        yield _rate(distances, settings.seconds, 256)


@contextlib.contextmanager
def _decoder(settings: Settings, latents: int):
    """The decoder as a TensorFlow user has it: placeholder of latents, images, session."""
    model_dir = untrained_model(settings, "dsprites", latents)
    import tensorflow.compat.v1 as tf
    import tensorflow_hub as hub

    with tf.Graph().as_default():
        module = hub.Module(str(model_dir / "tfhub"))
        feed = tf.placeholder(tf.float32, [None, latents])
        raw = module({"latent_vectors": feed}, signature="decoder", as_dict=True)["images"]
        images = tf.reshape(tf.sigmoid(raw), [-1, math.prod(SHAPE)])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            yield tf, feed, images, session


@contextlib.contextmanager
def straightforward(settings: Settings, latents: int) -> Iterator[Callable]:
    """Point by point: reverse-mode Jacobian, full SVD, mixed-integer program."""
    from vae_ortho_plugin.measures.dto import nearest_signed_permutation

    with _decoder(settings, latents) as (_, feed, images, session):
        from tensorflow.python.ops.parallel_for.gradients import jacobian

        fetch = jacobian(images[0], feed)

        def distances(count: int) -> np.ndarray:
            result = []
            for point in _points(latents, count):
                matrix = session.run(fetch, {feed: point[np.newaxis]})[:, 0].astype(np.float64)
                vectors = np.linalg.svd(matrix)[2]
                result.append(np.linalg.norm(vectors - nearest_signed_permutation(vectors, "milp")))
            return np.array(result)

        yield _rate(distances, settings.seconds, 1)


def _by_thin_svd(jacobians: np.ndarray) -> list[float]:
    """Distances of Jacobians [points, outputs, latents] by NumPy's SVD and SciPy's linear assignment."""
    from scipy.optimize import linear_sum_assignment

    result = []
    for vectors in np.linalg.svd(jacobians.astype(np.float64), full_matrices=False)[2]:
        rows, chosen = linear_sum_assignment(-np.abs(vectors))
        vectors[rows, chosen] -= np.sign(vectors[rows, chosen])
        result.append(np.linalg.norm(vectors))
    return result


@contextlib.contextmanager
def generic(settings: Settings, latents: int) -> Iterator[Callable]:
    """Batch by batch: forward-mode Jacobian, thin SVD, linear assignment."""
    with _decoder(settings, latents) as (tf, feed, images, session):
        vector = tf.zeros_like(images)
        product = tf.gradients(images, feed, vector)[0]
        fetch = [
            tf.gradients(product, vector, tf.zeros_like(feed) + direction)[0]
            for direction in np.eye(latents, dtype=np.float32)
        ]

        def distances(count: int) -> np.ndarray:
            result = []
            points = _points(latents, count)
            for start in range(0, count, 256):
                columns = session.run(fetch, {feed: points[start : start + 256]})
                result += _by_thin_svd(np.stack(columns, axis=2))
            return np.array(result)

        yield _rate(distances, settings.seconds, 256)


@contextlib.contextmanager
def in_jax(settings: Settings, latents: int) -> Iterator[Callable]:
    """A batch at a time in JAX: jacfwd, vmap, jit; thin SVD and assignment as in `generic`."""
    with bench_extra():
        from benchmarks.dto_in_jax import jacobians_in_jax
    jacobians = jacobians_in_jax((latents, *WIDTHS))

    def of_points(count: int) -> np.ndarray:
        batches = jacobians(_points(latents, count))
        return np.concatenate([_by_thin_svd(batch) for batch in batches])

    of_points(256)
    yield _rate(of_points, settings.seconds, 256)


@contextlib.contextmanager
def in_torch(settings: Settings, latents: int) -> Iterator[Callable]:
    """As `in_jax`, in PyTorch."""
    with environment_torch.dto(settings, (latents, *WIDTHS)) as request:
        yield Rate(request, settings.seconds, 256)


@contextlib.contextmanager
def operations(settings: Settings, latents: int) -> Iterator[Callable]:
    """The decoder's matrix products for a point and its tangents, at the machine's best rate of such products."""
    layers = zip((latents, *WIDTHS), WIDTHS, strict=False)
    of_a_point = (1 + latents) * sum(inputs * outputs for inputs, outputs in layers)
    with products.best_rate(settings) as multiplications:
        yield lambda: multiplications() / of_a_point


def _speed(latents: int) -> Row:
    def series(name: str, open_: Callable, **goal: float) -> Series:
        return Series(name, functools.partial(open_, latents=latents), **goal)

    return Row(
        f"dto-{latents}-latents",
        f"DtO, dSprites fc decoder, {latents} latents",
        "points/s",
        (
            series(PLUGIN, plugin),
            series(
                "reverse-mode Jacobian, full SVD, MILP, by point", straightforward, at_least=1000
            ),
            series("forward-mode Jacobian, thin SVD, assignment", generic, at_least=1),
            series("JAX: jacfwd, vmap, jit, thin SVD, assignment", in_jax, at_least=1.1),
            series("PyTorch: jacfwd, vmap, thin SVD, assignment", in_torch, at_least=1.1),
            series("count of operations", operations, at_least=0.5),
        ),
        f"The decoder has the layers {latents}-1200-1200-1200-4096 and initial weights. The count is that of the "
        f"multiplications in its matrix products for a point and its {latents} tangents, over the rate of products of "
        "[256, 1200] and [1200, 1200] in the fastest of TensorFlow, NumPy, JAX and PyTorch.",
    )


@contextlib.contextmanager
def peak_memory(settings: Settings, data_set: str, latents: int, points: int) -> Iterator[Callable]:
    """MiB by which a process grows beyond the loaded model, at most, during DtO."""
    if not Path("/proc/self/clear_refs").exists():
        raise NotMeasured("only Linux reports a process's peak memory and can reset it")
    model_dir = untrained_model(settings, data_set, latents)
    command = [sys.executable, "-m", "benchmarks.dto", str(model_dir), str(points)]

    def measure() -> float:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return float(done.stdout.split()[-1])

    yield measure


def _print_peak_memory(model_dir: str, points: int) -> None:
    from vae_ortho_plugin.decoder.trained_model import open_model
    from vae_ortho_plugin.measures.dto import distance_to_orthogonality

    with open_model(model_dir) as model:
        latents = _points(model.num_latents, points)
        model.decode(latents[:1])
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the memory in use now
        loaded = _memory_peak()
        distance_to_orthogonality(model.jacobian_factors(latents))
    print(_memory_peak() - loaded)


def _memory_peak() -> float:
    """MiB. The peak of getrusage would include that of the parent process."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1024


def _memory(title: str, data_set: str, latents: int, points: int) -> Series:
    return Series(
        f"{title}, {points:,} points",
        functools.partial(peak_memory, data_set=data_set, latents=latents, points=points),
    )


ROWS = (
    *map(_speed, (2, 5, 10, 20)),
    Row(
        "dto-memory",
        "Peak memory of DtO beyond the loaded model",
        "MiB",
        (
            _memory("MNIST network, 6 latents", "mnist", 6, 70_000),
            _memory("MNIST network, 6 latents", "mnist", 6, 7_000),
            _memory("dSprites fc decoder, 10 latents", "dsprites", 10, 2_000),
        ),
        "Growth of the resident memory of a process of its own, from the loaded model, which has decoded one point, to "
        "the highest point.",
        at_most=1536,
    ),
)

if __name__ == "__main__":
    _print_peak_memory(sys.argv[1], int(sys.argv[2]))
