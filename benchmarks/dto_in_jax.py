# SPDX-License-Identifier: Apache-2.0
"""DtO in JAX as its users write it: jacfwd and vmap in one compiled function, thin SVD, assignment."""

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

_BATCH = 256


def distances_in_jax(widths: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    """The distances of points [points, latents] for a decoder with random weights.

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

    def distances(points: np.ndarray) -> np.ndarray:
        result = []
        # The last batch is padded, so that nothing is compiled again.
        padded = np.concatenate(
            [points, np.zeros((-len(points) % _BATCH, points.shape[1]), np.float32)]
        )
        for start in range(0, len(padded), _BATCH):
            jacobians = np.asarray(jacobian(padded[start : start + _BATCH]), np.float64)
            for vectors in np.linalg.svd(jacobians, full_matrices=False)[2][: len(points) - start]:
                rows, chosen = linear_sum_assignment(-np.abs(vectors))
                vectors[rows, chosen] -= np.sign(vectors[rows, chosen])
                result.append(np.linalg.norm(vectors))
        return np.array(result)

    return distances
