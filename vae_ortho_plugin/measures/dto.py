# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality (DtO) of decoder Jacobians, Eq. 29.

Equations and sections are those of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.arrays import ByValue, check_shape, float_array
from vae_ortho_plugin.measures.jacobians import checked_jacobians, triangular_factors

SOLVERS = ("assignment", "milp")

# Points are processed in blocks of this size, to bound memory.
_BLOCK_POINTS = 1024

# How far rounding may carry an entry of V beyond [-1, 1].
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class DtoResult(ByValue):
    """DtO over points; each value lies in [0, sqrt(2 * latents)].

    Attributes:
        mean: Eq. 29.
        std: standard deviation over the points, taken as the whole population (ddof = 0), so that
            it is defined for one point.
        stderr: std / sqrt(num_points).
        num_points: number of points.
        per_point: [points], the distance at each point.
    """

    mean: float
    std: float
    stderr: float
    num_points: int
    per_point: NDArray[np.float64]


def distance_to_orthogonality(jacobians: ArrayLike, solver: str = "assignment") -> DtoResult:
    """Mean distance of V from its nearest signed permutation, J = U S V^T (Eq. 29).

    0 where the columns of every Jacobian are orthogonal. V is not unique where singular values
    are equal; columns that are all zero count as aligned, while tiny ones, as of passive latents, add an
    arbitrary amount. For DtO among some latents only, such as the `active_latents`, pass
    `jacobians[:, :, latents]`. If the Jacobians of all points do not fit into memory, call
    `point_distances` on each batch and `summarize` on the concatenated distances.

    Orthogonal columns, and a decoder whose latent space is rotated by 30 degrees, where DtO is
    2 sqrt(2) sin(15 degrees):

    >>> distance_to_orthogonality([[[2, 0], [0, 1], [0, 0]]]).mean
    0.0
    >>> c, s = 3**0.5 / 2, 1 / 2
    >>> round(distance_to_orthogonality([[[2 * c, -2 * s], [s, c]]]).mean, 4)
    0.7321

    Args:
        jacobians: [points, outputs, latents], outputs >= latents; d output / d latent at each point.
        solver: how the signed permutation nearest in L1 is found: "assignment" (linear
            assignment) or "milp" (the paper's mixed-integer program, by OR-tools; much slower, with
            the same answer).

    Raises:
        InputError: wrong shape, no points, no real numbers, a Jacobian that is not finite, or an
            unknown solver.
    """
    return summarize(point_distances(jacobians, solver))


def summarize(distances: ArrayLike) -> DtoResult:
    """DtO of points whose distances are known.

    >>> summarize([0.0, 0.5]).mean
    0.25

    Args:
        distances: [points], from `point_distances`.

    Raises:
        InputError: wrong shape, no points, or a distance that is negative or not finite.
    """
    numbers = float_array("distances", distances)
    if not numbers.size:
        raise InputError("DtO needs at least one point; got none.")
    check_shape("distances", numbers, points=None)
    if numbers.min() < 0:
        raise InputError(f"distances must be at least 0; got {numbers.min()}.")
    std = float(np.std(numbers))
    return DtoResult(
        mean=float(np.mean(numbers)),
        std=std,
        stderr=std / float(np.sqrt(numbers.size)),
        num_points=numbers.size,
        per_point=numbers,
    )


def point_distances(
    jacobians: ArrayLike, solver: str = "assignment", first_point: int = 0
) -> NDArray[np.float64]:
    """The distance in Eq. 29 at each point: [points], each in [0, sqrt(2 * latents)].

    >>> point_distances([[[2, 0], [0, 1]], [[0, 1], [5, 0]]]).tolist()
    [0.0, 0.0]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents.
        solver: as in `distance_to_orthogonality`.
        first_point: index of jacobians[0] among all points, for error messages.

    Raises:
        InputError: as `distance_to_orthogonality`.
    """
    _check_solver(solver)
    array = checked_jacobians(jacobians)
    blocks = range(0, len(array), _BLOCK_POINTS)
    return np.concatenate(
        [_distances(array[i : i + _BLOCK_POINTS], solver, first_point + i) for i in blocks]
    )


def _distances(jacobians: ArrayLike, solver: str, first_point: int) -> NDArray[np.float64]:
    vectors = right_singular_vectors(jacobians, first_point)
    solve = _solve_milp if solver == "milp" else _solve_assignment
    nearest = np.stack([solve(v) for v in vectors])
    return np.asarray(np.linalg.norm(vectors - nearest, axis=(1, 2)))


def nearest_signed_permutation(
    matrix: ArrayLike, solver: str = "assignment"
) -> NDArray[np.float64]:
    """P(V) in Eq. 29: the signed permutation nearest to V in L1.

    >>> nearest_signed_permutation([[0.6, -0.8], [0.8, 0.6]]).tolist()
    [[0.0, -1.0], [1.0, 0.0]]

    Args:
        matrix: V, [latents, latents], entries in [-1, 1].
        solver: as in `distance_to_orthogonality`.

    Returns:
        [latents, latents], with one entry of 1 or -1 in each row and column and zeros elsewhere.

    Raises:
        InputError: wrong shape, an entry outside [-1, 1], or an unknown solver.
    """
    _check_solver(solver)
    numbers = float_array("matrix", matrix)
    if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1] or not numbers.size:
        raise InputError(f"matrix must have the shape [latents, latents]; got {numbers.shape}.")
    if np.abs(numbers).max() > 1 + _ROUNDING:
        raise InputError("matrix must have entries in [-1, 1], as an orthogonal matrix has.")
    return _solve_milp(numbers) if solver == "milp" else _solve_assignment(numbers)


def right_singular_vectors(jacobians: ArrayLike, first_point: int = 0) -> NDArray[np.float64]:
    """V^T of J = U S V^T, a row for each singular value, largest singular value first.

    An all-zero column has its own unit vector, ahead of the others.

    >>> import numpy as np
    >>> np.abs(right_singular_vectors([[[1, 0], [0, 2]]])).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents.
        first_point: index of jacobians[0] among all points, for error messages.

    Returns:
        [points, latents, latents], computed in float64.

    Raises:
        InputError: wrong shape, no real numbers, or a Jacobian that is not finite.
    """
    factors = triangular_factors(jacobians, first_point)
    latents = factors.shape[-1]
    zero = ~factors.any(axis=1)
    if zero.any():
        # The SVD would return any basis of the null space. Lengths beyond every singular value,
        # all different, make the axes of the zero columns the only choice.
        scale = np.asarray(np.linalg.norm(factors, axis=(1, 2)))
        scale[scale == 0] = 1
        lengths = zero * np.multiply.outer(scale, np.arange(latents) + 2.0)
        factors = np.concatenate([factors, lengths[:, :, None] * np.eye(latents)], axis=1)
    return np.linalg.svd(factors, full_matrices=False)[2]


def _check_solver(solver: str) -> None:
    if solver not in SOLVERS:
        raise InputError(f"Unknown DtO solver {solver!r}; use one of {', '.join(SOLVERS)}.")


def _solve_assignment(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    # Giving cell (a, b) the sign of V_ab changes the L1 distance by 1 - 2 |V_ab|, as |V_ab| <= 1:
    # the distance is least where the sum of the chosen |V_ab| is greatest.
    chosen = linear_sum_assignment(np.abs(matrix), maximize=True)
    nearest = np.zeros_like(matrix)
    nearest[chosen] = np.copysign(1, matrix[chosen])
    return nearest


def _solve_milp(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        from ortools.linear_solver import pywraplp
    except ModuleNotFoundError as error:
        raise InputError(
            "The DtO solver 'milp' needs OR-tools: pip install ortools, or use 'assignment', which "
            "gives the same answer."
        ) from error

    solver = pywraplp.Solver.CreateSolver("SCIP")
    cells = [(a, b) for a in range(len(matrix)) for b in range(len(matrix))]
    positive = {cell: solver.BoolVar("") for cell in cells}
    negative = {cell: solver.BoolVar("") for cell in cells}
    for n in range(len(matrix)):
        for line in ([c for c in cells if c[0] == n], [c for c in cells if c[1] == n]):
            solver.Add(sum(positive[c] + negative[c] for c in line) == 1)
    distance = {cell: solver.NumVar(0, solver.infinity(), "") for cell in cells}
    for cell in cells:
        difference = float(matrix[cell]) - positive[cell] + negative[cell]
        solver.Add(distance[cell] >= difference)
        solver.Add(distance[cell] >= -difference)
    solver.Minimize(sum(distance.values()))
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        raise RuntimeError("SCIP did not find the nearest signed permutation.")
    nearest = np.zeros_like(matrix)
    for cell in cells:
        nearest[cell] = round(positive[cell].solution_value() - negative[cell].solution_value())
    return nearest
