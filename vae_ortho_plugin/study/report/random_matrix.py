# SPDX-License-Identifier: Apache-2.0
"""DtO of random matrices, which by our inference are the paper's "random decoders".

Matrices outputs x latents of independent U(0, 1) entries have the paper's DtO on all data sets; untrained
networks do not. The paper does not say what its random decoders are.
"""

from typing import NamedTuple

import numpy as np

from vae_ortho_plugin.measures import point_distances


class RandomMatrix(NamedTuple):
    """Mean and standard deviation of DtO over random matrices.

    Attributes:
        outputs, latents: size of the matrices.
        mean, sd: of `distances` of `number` matrices with seed 0.
        number: of matrices.
    """

    outputs: int
    latents: int
    mean: float
    sd: float
    number: int


# Data set -> DtO of matrices of the size of its Jacobians.
RANDOM_MATRICES = {
    "synth_linear": RandomMatrix(3, 2, 0.801, 0.219, 20_000),
    "synth_nonlinear": RandomMatrix(6, 2, 0.890, 0.151, 20_000),
    "dsprites": RandomMatrix(4096, 5, 1.861, 0.116, 2_000),
    "mnist": RandomMatrix(784, 6, 2.109, 0.114, 6_000),
    "fashion_mnist": RandomMatrix(784, 6, 2.109, 0.114, 6_000),
}


def distances(outputs: int, latents: int, number: int, seed: int = 0) -> np.ndarray:
    """DtO of each of `number` matrices of independent U(0, 1) entries, [number]."""
    random = np.random.default_rng(seed)
    found = []
    for start in range(0, number, 200):
        matrices = random.random((min(200, number - start), outputs, latents))
        found.append(point_distances(matrices))
    return np.concatenate(found)
