# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality (DtO) of decoder Jacobians, Eq. 29 of Rolinek et al., CVPR 2019."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from vae_ortho_plugin.errors import InputError, check_one_of
from vae_ortho_plugin.measures.shared.arrays import Floats, float_array
from vae_ortho_plugin.measures.shared.jacobians import checked_jacobians, triangular_factors
from vae_ortho_plugin.measures.shared.results import OverPoints


def distance_to_orthogonality(
    jacobians: ArrayLike, solver: str = "assignment", active: ArrayLike | None = None
) -> OverPoints:
    """Distance of V from its nearest signed permutation, J = U S V^T (Eq. 29): 0 to sqrt(2 * latents).

    0 where the columns of every Jacobian are orthogonal. V is not unique where singular values
    are equal; columns that are all zero count as aligned, while tiny ones, as of passive latents, add an
    arbitrary amount: then take DtO among the `active_latents`.

    A decoder whose latent space is rotated by 30 degrees, where DtO is 2 sqrt(2) sin(15 degrees):

    >>> c, s = 3**0.5 / 2, 1 / 2
    >>> round(distance_to_orthogonality([[[2 * c, -2 * s], [s, c]]]).mean, 4)
    0.7321

    Args:
        jacobians: [points, outputs, latents], outputs >= latents; d output / d latent at each point.
        solver: finds the nearest signed permutation: "assignment" (linear assignment) or "milp" (the
            paper's mixed-integer program, by OR-tools; much slower, with the same answer).
        active: indices of the latents to take; all by default.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, or an unknown solver.
    """
    check_one_of("solver", solver, SOLVERS)
    vectors = right_singular_vectors(checked_jacobians(jacobians, active))
    nearest = SOLVERS[solver](vectors)
    return OverPoints(np.asarray(np.linalg.norm(vectors - nearest, axis=(1, 2))))


def singular_value_ratios(jacobians: ArrayLike, active: ArrayLike | None = None) -> Floats:
    """σ_k / σ_{k+1} of each Jacobian's singular values, largest first: [points, latents − 1], at least 1.

    Infinite where σ_{k+1} is 0. A ratio of 1 leaves V, and so DtO, undetermined in the plane of the two.

    >>> singular_value_ratios([[[3, 0], [0, 2], [0, 0]]]).round(6).tolist()
    [[1.5]]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents >= 2.
        active: indices of the latents to take, at least two; all by default.

    Raises:
        InputError: wrong shape, no real numbers, a Jacobian that is not finite, or one latent only.
    """
    triangular = triangular_factors(checked_jacobians(jacobians, active))
    if triangular.shape[2] < 2:
        raise InputError("Ratios of singular values need Jacobians of at least 2 latents; got 1.")
    values = np.linalg.svd(triangular, compute_uv=False)
    ratios = np.full_like(values[:, 1:], np.inf)
    np.divide(values[:, :-1], values[:, 1:], out=ratios, where=values[:, 1:] > 0)
    return ratios


def nearest_signed_permutation(matrix: ArrayLike, solver: str = "assignment") -> Floats:
    """P(V) in Eq. 29: the signed permutation nearest to V in L1, one 1 or -1 in each row and column, else zeros.

    >>> nearest_signed_permutation([[0.6, -0.8], [0.8, 0.6]]).tolist()
    [[0.0, -1.0], [1.0, 0.0]]

    Args:
        matrix: V, [latents, latents], entries in [-1, 1].
        solver: as in `distance_to_orthogonality`.

    Raises:
        InputError: wrong shape, an entry outside [-1, 1], or an unknown solver.
    """
    check_one_of("solver", solver, SOLVERS)
    numbers = float_array("matrix", matrix)
    if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1] or not numbers.size:
        raise InputError(f"matrix must have the shape [latents, latents]; got {numbers.shape}.")
    if np.abs(numbers).max() > 1 + 1e-6:  # as far as rounding may carry an entry of V
        raise InputError("matrix must have entries in [-1, 1], as an orthogonal matrix has.")
    return np.asarray(SOLVERS[solver](numbers[None])[0])


def right_singular_vectors(jacobians: ArrayLike) -> Floats:
    """V^T of J = U S V^T, [points, latents, latents] in float64: a row for each singular value, largest first.

    An all-zero column has its own unit vector, ahead of the others.

    >>> np.abs(right_singular_vectors([[[1, 0], [0, 2]]])).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents.

    Raises:
        InputError: wrong shape, no real numbers, or a Jacobian that is not finite.
    """
    triangular = triangular_factors(jacobians)
    latents = triangular.shape[-1]
    zero = ~triangular.any(axis=1)
    if zero.any():
        # The SVD would return any basis of the null space. Lengths beyond every singular value,
        # all different, make the axes of the zero columns the only choice.
        scale = np.asarray(np.linalg.norm(triangular, axis=(1, 2)))
        scale[scale == 0] = 1
        lengths = zero * np.multiply.outer(scale, np.arange(latents) + 2.0)
        triangular = np.concatenate([triangular, lengths[:, :, None] * np.eye(latents)], axis=1)
    return np.linalg.svd(triangular, full_matrices=False)[2]


def _solve_assignments(vectors: Floats) -> Floats:
    # Giving cell (a, b) the sign of V_ab changes the L1 distance by 1 - 2 |V_ab|, as |V_ab| <= 1:
    # the distance is least where the sum of the chosen |V_ab| is greatest.
    sizes = np.abs(vectors)
    columns = sizes.argmax(axis=2)
    # Where the greatest entries of the rows lie in different columns, no other choice has a greater sum.
    shared = (np.sort(columns) != np.arange(columns.shape[1])).any(axis=1)
    for point in np.flatnonzero(shared):
        columns[point] = linear_sum_assignment(sizes[point], maximize=True)[1]
    cells = columns[:, :, None]
    nearest = np.zeros_like(vectors)
    signs = np.copysign(1, np.take_along_axis(vectors, cells, 2))
    np.put_along_axis(nearest, cells, signs, 2)
    return nearest


def _solve_milp(matrix: Floats) -> Floats:
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


# Solver -> the nearest signed permutations [points, latents, latents] of matrices.
SOLVERS: dict[str, Callable[[Floats], Floats]] = {
    "assignment": _solve_assignments,
    "milp": lambda vectors: np.stack([_solve_milp(matrix) for matrix in vectors]),
}
