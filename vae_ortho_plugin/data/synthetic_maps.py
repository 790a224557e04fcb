# SPDX-License-Identifier: Apache-2.0
"""The two maps of Rolinek et al. (CVPR 2019), Suppl. B, that embed the unit square.

They need NumPy and SciPy only. Random numbers come from `numpy.random.RandomState`, whose streams
NumPy keeps unchanged. All arithmetic is float64.
"""

import functools
import itertools

import numpy as np
from scipy.spatial.transform import Rotation

Layers = list[tuple[np.ndarray, np.ndarray]]
TANH = ("all", "hidden")


@functools.lru_cache
def linear_matrix(axis_ratio: float = 2.0) -> np.ndarray:
    """The matrix [3, 2] of Synth. Lin., read-only.

    It stretches the first axis by `axis_ratio`, embeds the plane in R^3 and rotates by 45 degrees
    (right-handed) about (1, -1, 1); its columns are orthogonal, of length `axis_ratio` and 1.
    """
    axis = np.array([1.0, -1.0, 1.0]) / np.sqrt(3.0)
    rotation = Rotation.from_rotvec(np.pi / 4 * axis).as_matrix()
    matrix = rotation[:, :2] * np.array([axis_ratio, 1.0])
    matrix.flags.writeable = False
    return matrix


def linear_map(points: np.ndarray, axis_ratio: float = 2.0) -> np.ndarray:
    """Synth. Lin.: points [n, 2] -> observations [n, 3]."""
    return points @ linear_matrix(axis_ratio).T


def random_layers(
    weight_seed: int, sizes: tuple[int, ...] = (2, 10, 6), law: str = "normal"
) -> Layers:
    """Kernels [in, out] and biases [out] of a random MLP with independent entries.

    Args:
        weight_seed: of the random numbers.
        sizes: of the layers, the input's first.
        law: of every entry: 'normal', N(0, 1); 'uniform', U(0, 1); 'fan_in', uniform in
            ±1/sqrt(in), PyTorch's initial weights.
    """
    draw = LAWS[law]
    random_state = np.random.RandomState(weight_seed)
    return [
        (draw(random_state, inputs, (inputs, outputs)), draw(random_state, inputs, (outputs,)))
        for inputs, outputs in itertools.pairwise(sizes)
    ]


def _normal(random_state: np.random.RandomState, inputs: int, shape: tuple[int, ...]) -> np.ndarray:
    return random_state.standard_normal(shape)


def _uniform(
    random_state: np.random.RandomState, inputs: int, shape: tuple[int, ...]
) -> np.ndarray:
    return random_state.random_sample(shape)


def _fan_in(random_state: np.random.RandomState, inputs: int, shape: tuple[int, ...]) -> np.ndarray:
    return (2 * random_state.random_sample(shape) - 1) / np.sqrt(inputs)


LAWS = {"normal": _normal, "uniform": _uniform, "fan_in": _fan_in}


def mlp_map(points: np.ndarray, layers: Layers, tanh: str = "all") -> np.ndarray:
    """Synth. Non-Lin.: points [n, 2] -> observations [n, 6].

    Args:
        points: [n, 2].
        layers: from `random_layers`.
        tanh: 'all' for a tanh after every layer, 'hidden' for a linear last layer.
    """
    values = points
    for number, (kernel, bias) in enumerate(layers, 1):
        values = values @ kernel + bias
        if tanh == "all" or number < len(layers):
            values = np.tanh(values)
    return values
