# SPDX-License-Identifier: Apache-2.0
"""Synth. Lin. and Synth. Non-Lin. of Rolinek et al. (CVPR 2019): the unit square in R^3 and R^6.

The maps follow Suppl. B. Random numbers come from `numpy.random.RandomState`, whose streams NumPy
keeps unchanged. All arithmetic is float64.
"""

import itertools
from typing import ClassVar

import gin
import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import ndtr, ndtri

from vae_ortho_plugin.data.sampling.binning import NUM_STEPS
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.errors import InputError, check_between, check_one_of, check_whole

Layers = list[tuple[np.ndarray, np.ndarray]]


def linear_matrix(axis_ratio: float = 2.0, factor_angle: float = 0.0) -> np.ndarray:
    """The matrix [3, 2] of Synth. Lin., E diag(r, 1) R(φ).

    R turns the plane by φ degrees, diag stretches the first axis by r, and E embeds the plane in
    R^3 and rotates by 45 degrees about (1, -1, 1); both turns are right-handed. The principal
    directions of the square's image are the columns of E. At φ = 0 so are the columns of the matrix,
    of length r and 1. `axis_ratio` is r, `factor_angle` φ.
    """
    axis = np.array([1.0, -1.0, 1.0]) / np.sqrt(3.0)
    rotation = Rotation.from_rotvec(np.pi / 4 * axis).as_matrix()
    cosine, sine = np.cos(np.radians(factor_angle)), np.sin(np.radians(factor_angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return (rotation[:, :2] * np.array([axis_ratio, 1.0])) @ turn


def random_layers(
    weight_seed: int, sizes: tuple[int, ...] = (2, 10, 6), law: str = "normal"
) -> Layers:
    """Kernels [in, out] and biases [out] of a random MLP with independent entries.

    Args:
        weight_seed: of the random numbers.
        sizes: of the layers, the input's first.
        law: 'normal', N(0, 1); 'uniform', U(0, 1); 'fan_in', U(±1/sqrt(in)), PyTorch's initial weights.
    """
    random_state = np.random.RandomState(weight_seed)

    def drawn(inputs: int, *shape: int) -> np.ndarray:
        if law == "normal":
            return random_state.standard_normal(shape)
        values = random_state.random_sample(shape)
        return values if law == "uniform" else (2 * values - 1) / np.sqrt(inputs)

    return [(drawn(m, m, n), drawn(m, n)) for m, n in itertools.pairwise(sizes)]


def mlp_map(points: np.ndarray, layers: Layers, tanh: str = "all") -> np.ndarray:
    """Synth. Non-Lin.: points [n, 2] -> observations [n, 6].

    `tanh` is 'all' for a tanh after every layer, 'hidden' for a linear last layer.
    """
    *hidden, (kernel, bias) = layers
    for weights, offsets in hidden:
        points = np.tanh(points @ weights + offsets)
    points = points @ kernel + bias
    return np.tanh(points) if tanh == "all" else points


def check_pair(correlation: float, held_out: float | None) -> None:
    """Raises InputError unless the correlation is between -1 and 1, and the corner between 0 and 1."""
    check_between("correlation", correlation, -1, 1)
    if held_out is not None:
        check_between("held_out", held_out, 0, 1)


def correlated(uniform: np.ndarray, correlation: float) -> np.ndarray:
    """Factors [n, 2] with uniform marginals and a Gaussian copula.

    w1 = u1 and w2 = Φ(ρ Φ⁻¹(u1) + √(1 − ρ²) Φ⁻¹(u2)), where Φ is the standard normal distribution.
    The correlation of w1 and w2 is ρ' = 6/π asin(ρ/2). `uniform` is u [n, 2], independent and uniform in
    [0, 1), `correlation` is ρ; at 0, w is u.
    """
    if correlation == 0:
        return uniform
    first, second = ndtri(uniform).T
    mixed = ndtr(correlation * first + np.sqrt(1 - correlation**2) * second)
    return np.stack([uniform[:, 0], np.minimum(mixed, np.nextafter(1.0, 0.0))], axis=1)


def outside_corner(factors: np.ndarray, held_out: float | None) -> np.ndarray:
    """Indices of the points [n, 2] that have a factor below `held_out`; of all for None."""
    if held_out is None:
        return np.arange(len(factors))
    left = np.flatnonzero((factors < held_out).any(axis=1))
    if len(left) < 10:
        raise InputError(
            f"held_out = {held_out} leaves {len(left)} of {len(factors):,} points: it holds out those "
            f"whose two factors are both at or above this share of their range. At least "
            "10 are needed; take a larger number."
        )
    return left


class EmbeddedSquare(SplitGroundTruthData):
    """Points w of the unit square and their images under `observations_of`.

    Each factor is uniform in [0, 1], and by default they are independent. `split` returns the factors w,
    which are continuous. dlib's metrics and pictures get class numbers: the cell 0 ... 19 of each factor
    on a grid of NUM_STEPS = 20 cells. The position within the cell is noise to dlib.
    """

    factor_names: ClassVar = ["w1", "w2"]
    factor_kinds: ClassVar = ["continuous", "continuous"]
    factors_num_values: ClassVar = [NUM_STEPS, NUM_STEPS]

    def __init__(self, num_points: int, seed: int, correlation: float, held_out: float | None):
        check_whole("num_points", num_points, at_least=10)
        check_whole("seed", seed)
        check_pair(correlation, held_out)
        uniform = np.random.RandomState(seed).random_sample((num_points, 2))
        points = correlated(uniform, correlation)
        points = points[outside_corner(points, held_out)]
        super().__init__(_as_images(self.observations_of(points)), points)

    def observations_of(self, points: np.ndarray) -> np.ndarray:
        """The map: points [n, 2] -> observations float64 [n, dimensions]."""
        raise NotImplementedError

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Observations float32 [n, dimensions, 1, 1] of any factor values [n, 2].

        Floating-point numbers are values of w in [0, 1]; integers are cells 0 ... 19, from which the points
        are drawn uniformly.

        Raises:
            InputError: a factor lies outside its range.
        """
        factors = np.asarray(factors)
        cells = np.issubdtype(factors.dtype, np.integer)
        largest = NUM_STEPS - 1 if cells else 1
        if not np.all((factors >= 0) & (factors <= largest)):
            raise InputError(
                f"Factors between {factors.min()} and {factors.max()}: {factors.dtype} values of "
                f"{', '.join(self.factor_names)} must lie between 0 and {largest}."
            )
        if cells:
            factors = (factors + random_state.random_sample(factors.shape)) / NUM_STEPS
        return _as_images(self.observations_of(factors))

    def _dlib_factors(self, indices: np.ndarray) -> np.ndarray:
        return (self._factors[indices] * NUM_STEPS).astype(np.int64)


@gin.configurable("synth_linear")
class SynthLinear(EmbeddedSquare):
    """Synth. Lin.: the square stretched, embedded in R^3 and rotated (`linear_matrix`).

    Args:
        axis_ratio: stretch of the first axis, > 0; the paper's is 2, Suppl. C uses 1, 1.2 and 1.5.
        num_points: points that are drawn for all splits together.
        seed: of the points.
        factor_angle: degrees, between -180 and 180, by which the square is turned before it is
            stretched; the factors stay the coordinates before the turn.
        correlation: ρ of the factors' Gaussian copula, between -1 and 1 (`correlated`).
        held_out: c, between 0 and 1: of the points that are drawn, those with w1 >= c and w2 >= c are
            left out of all splits; None for none.
    """

    def __init__(
        self,
        axis_ratio: float = 2.0,
        num_points: int = 50_000,
        seed: int = 0,
        factor_angle: float = 0.0,
        correlation: float = 0.0,
        held_out: float | None = None,
    ):
        check_between("axis_ratio", axis_ratio, 0, np.inf)
        check_between("factor_angle", factor_angle, -180, 180)
        self.axis_ratio, self._matrix = axis_ratio, linear_matrix(axis_ratio, factor_angle)
        super().__init__(num_points, seed, correlation, held_out)

    def observations_of(self, points: np.ndarray) -> np.ndarray:
        return points @ self._matrix.T


@gin.configurable("synth_nonlinear")
class SynthNonlinear(EmbeddedSquare):
    """Synth. Non-Lin.: the square mapped to R^6 by a fixed random MLP 2-10-6 (`mlp_map`).

    The paper states neither the weights nor their distribution nor where the tanh is. We assume
    N(0, 1) weights and biases, and tanh after both layers. The default `weight_seed` is the one of
    0 to 8 whose beta-VAE is closest to the paper's in Table 2.

    Args:
        num_points: points that are drawn for all splits together.
        seed: of the points.
        weight_seed: of the MLP.
        weight_law: of its weights and biases: 'normal', 'uniform' or 'fan_in' (`random_layers`).
        tanh: 'all' for a tanh after both layers, 'hidden' for a linear output.
        correlation, held_out: as of `SynthLinear`. It has no factor_angle: the law of the normal
            weights does not change when the square is turned.
    """

    def __init__(
        self,
        num_points: int = 50_000,
        seed: int = 0,
        weight_seed: int = 7,
        weight_law: str = "normal",
        tanh: str = "all",
        correlation: float = 0.0,
        held_out: float | None = None,
    ):
        check_whole("weight_seed", weight_seed)
        check_one_of("weight_law", weight_law, ("normal", "uniform", "fan_in"))
        check_one_of("tanh", tanh, ("all", "hidden"))
        self._layers, self._tanh = random_layers(weight_seed, law=weight_law), tanh
        super().__init__(num_points, seed, correlation, held_out)

    def observations_of(self, points: np.ndarray) -> np.ndarray:
        return mlp_map(points, self._layers, self._tanh)


def _as_images(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float32)[:, :, np.newaxis, np.newaxis]
