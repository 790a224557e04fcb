# SPDX-License-Identifier: Apache-2.0
"""How fast this machine multiplies matrices, in the library that does it best: the limit of what products bound.

Chains of products of [256, 1200] and [1200, 1200] in float32, in TensorFlow, NumPy, JAX and PyTorch, as far as these
are installed.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import environment_torch
from benchmarks.framework import NotMeasured, Rate, Settings, bench_extra

ROWS, WIDTH = 256, 1200
MULTIPLICATIONS = ROWS * WIDTH**2
_CHAIN = 20


@contextlib.contextmanager
def best_rate(settings: Settings) -> Iterator[Callable[[], float]]:
    """Multiplications a second, the most of all libraries."""
    with contextlib.ExitStack() as stack:
        rates = []
        for library in (_tensorflow, _numpy, _jax, _torch):
            with contextlib.suppress(NotMeasured):
                run = stack.enter_context(library(settings))
                run(1)
                rates.append(Rate(run, settings.seconds / 4, 1))
        yield lambda: MULTIPLICATIONS * max(rate() for rate in rates)


def _matrices() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    weights = random.normal(scale=WIDTH**-0.5, size=(WIDTH, WIDTH)).astype(np.float32)
    return random.normal(size=(ROWS, WIDTH)).astype(np.float32), weights


def _chain(result, weights):
    """_CHAIN products, of any library's matrices."""
    for _ in range(_CHAIN):
        result = result @ weights
    return result


def _seconds_of(call: Callable[[], object], count: int) -> float:
    """Seconds for `count` products by calls of _CHAIN products each."""
    calls = -(-count // _CHAIN)
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) * count / (calls * _CHAIN)


@contextlib.contextmanager
def _tensorflow(settings: Settings) -> Iterator[Callable[[int], float]]:
    import disentanglement_lib  # noqa: F401
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default():
        result, weights = map(tf.Variable, _matrices())
        result = _chain(result.read_value(), weights)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            yield lambda count: _seconds_of(lambda: session.run(result.op), count)


@contextlib.contextmanager
def _numpy(settings: Settings) -> Iterator[Callable[[int], float]]:
    matrices = _matrices()
    yield lambda count: _seconds_of(lambda: _chain(*matrices), count)


@contextlib.contextmanager
def _jax(settings: Settings) -> Iterator[Callable[[int], float]]:
    with bench_extra():
        import jax
    matrices, chain = [*map(jax.numpy.asarray, _matrices())], jax.jit(_chain)
    yield lambda count: _seconds_of(lambda: chain(*matrices).block_until_ready(), count)


@contextlib.contextmanager
def _torch(settings: Settings) -> Iterator[Callable[[int], float]]:
    with environment_torch.products(settings, ROWS, WIDTH) as request:
        yield request
