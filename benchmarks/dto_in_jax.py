# SPDX-License-Identifier: Apache-2.0
"""Jacobians in JAX as its users write them: jacfwd and vmap in one compiled function."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

_BATCH = 256


def jacobians_in_jax(widths: Sequence[int]) -> Callable[[np.ndarray], Iterator[np.ndarray]]:
    """From points [points, latents] to batches of Jacobians [at most 256, outputs, latents] of a random decoder.

    Args:
        widths: of the decoder's layers, latents first and outputs last; tanh between them, a sigmoid at the end.
    """
    random = np.random.default_rng(0)
    weights = [
        (
            jnp.asarray(random.normal(size=pair) / math.sqrt(pair[0]), jnp.float32),
            jnp.zeros(pair[1]),
        )
        for pair in itertools.pairwise(widths)
    ]

    def decode(latents):
        *hidden, (kernel, bias) = weights
        for matrix, offset in hidden:
            latents = jnp.tanh(latents @ matrix + offset)
        return jax.nn.sigmoid(latents @ kernel + bias)

    jacobian = jax.jit(jax.vmap(jax.jacfwd(decode)))

    def jacobians(points: np.ndarray) -> Iterator[np.ndarray]:
        # The last batch is padded, so that nothing is compiled again.
        padded = np.concatenate(
            [points, np.zeros((-len(points) % _BATCH, points.shape[1]), np.float32)]
        )
        for start in range(0, len(padded), _BATCH):
            batch = np.asarray(jacobian(padded[start : start + _BATCH]))
            yield batch[: len(points) - start]

    return jacobians
