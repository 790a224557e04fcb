# SPDX-License-Identifier: Apache-2.0
"""The two maps of Rolinek et al. (CVPR 2019), Suppl. B, that embed the unit square.

They need NumPy and SciPy only. Random numbers come from `numpy.random.RandomState`, whose streams
NumPy keeps unchanged. All arithmetic is float64.
"""

import itertools

import numpy as np
from scipy.spatial.transform import Rotation

Layers = list[tuple[np.ndarray, np.ndarray]]


def linear_matrix(axis_ratio: float = 2.0) -> np.ndarray:
    """The matrix [3, 2] of Synth. Lin.

    It stretches the first axis by `axis_ratio`, embeds the plane in R^3 and rotates by 45 degrees
    (right-handed) about (1, -1, 1); its columns are orthogonal, of length `axis_ratio` and 1.
    """
    axis = np.array([1.0, -1.0, 1.0]) / np.sqrt(3.0)
    rotation = Rotation.from_rotvec(np.pi / 4 * axis).as_matrix()
    return rotation[:, :2] * np.array([axis_ratio, 1.0])


def linear_map(points: np.ndarray, axis_ratio: float = 2.0) -> np.ndarray:
    """Synth. Lin.: points [n, 2] -> observations [n, 3]."""
    return points @ linear_matrix(axis_ratio).T


def random_layers(weight_seed: int, sizes: tuple[int, ...] = (2, 10, 6)) -> Layers:
    """Kernels [in, out] and biases [out] of a random MLP, every entry drawn from N(0, 1)."""
    random_state = np.random.RandomState(weight_seed)
    return [
        (random_state.standard_normal((inputs, outputs)), random_state.standard_normal(outputs))
        for inputs, outputs in itertools.pairwise(sizes)
    ]


def mlp_map(points: np.ndarray, layers: Layers) -> np.ndarray:
    """Synth. Non-Lin.: points [n, 2] -> observations [n, 6] in (-1, 1), tanh after every layer."""
    values = points
    for kernel, bias in layers:
        values = np.tanh(values @ kernel + bias)
    return values
