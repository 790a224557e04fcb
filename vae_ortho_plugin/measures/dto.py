# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality (DtO) of decoder Jacobians, Eq. 29.

Equations and sections are those of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses
import functools

import numpy as np
from scipy.optimize import linear_sum_assignment
from threadpoolctl import ThreadpoolController

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.jacobians import with_checked_shape

SOLVERS = ("assignment", "milp")

# So many points at a time leave no more behind than their distances.
_BLOCK_POINTS = 1024

# A chunk of Jacobians, in float64, that stays in a core's cache: 1.5 to 2 times faster.
_CHUNK_BYTES = 2**20

# Of a column's squared length: the least that is far from underflow, and the share outside the span
# of the columns before it with which R still has 9 right digits.
_LEAST_SQUARE = 1e-200
_LEAST_SHARE = 1e-6


@dataclasses.dataclass(frozen=True)
class DtoResult:
    """DtO over points; each value lies in [0, sqrt(2 * latents)].

    Attributes:
        mean: Eq. 29.
        std: standard deviation over the points, those taken as the whole population (ddof = 0),
            so that it is defined for one point.
        stderr: std / sqrt(num_points).
        num_points: number of points.
        per_point: [points], the distance at each point.
    """

    mean: float
    std: float
    stderr: float
    num_points: int
    per_point: np.ndarray


def distance_to_orthogonality(jacobians: np.ndarray, solver: str = "assignment") -> DtoResult:
    """Mean distance of V from its nearest signed permutation, J = U S V^T (Eq. 29).

    0 where the columns of every Jacobian are orthogonal. V is not unique where singular values
    are equal; columns that are all zero count as aligned. For DtO among some latents only, pass
    `jacobians[:, :, latents]`. For more points than memory holds, pass `point_distances` of each
    batch to `summarize`.

    Args:
        jacobians: [points, outputs, latents], outputs >= latents.
        solver: how the signed permutation nearest in L1 is found: "assignment" (linear
            assignment) or "milp" (the paper's mixed-integer program; slower by far, same answer).

    Raises:
        InputError: wrong shape, no points, a Jacobian that is not finite, unknown solver.
    """
    return summarize(point_distances(jacobians, solver))


def summarize(distances: np.ndarray) -> DtoResult:
    """The result for distances [points] from `point_distances`.

    Raises:
        InputError: no points.
    """
    distances = np.asarray(distances)
    if not distances.size:
        raise InputError("DtO needs at least one point; got none.")
    std = float(np.std(distances))
    return DtoResult(
        mean=float(np.mean(distances)),
        std=std,
        stderr=std / float(np.sqrt(distances.size)),
        num_points=distances.size,
        per_point=distances,
    )


def point_distances(
    jacobians: np.ndarray, solver: str = "assignment", first_point: int = 0
) -> np.ndarray:
    """[points], the distance in Eq. 29 at each point; arguments as `distance_to_orthogonality`.

    Args:
        first_point: index of jacobians[0] among all points, for error messages.
    """
    if solver not in SOLVERS:
        raise InputError(f"Unknown DtO solver {solver!r}; use one of {', '.join(SOLVERS)}.")
    jacobians = with_checked_shape(jacobians)
    blocks = range(0, len(jacobians), _BLOCK_POINTS)
    return np.concatenate(
        [_distances(jacobians[i : i + _BLOCK_POINTS], solver, first_point + i) for i in blocks]
    )


def _distances(jacobians: np.ndarray, solver: str, first_point: int) -> np.ndarray:
    vectors = right_singular_vectors(jacobians, first_point)
    nearest = np.stack([nearest_signed_permutation(v, solver) for v in vectors])
    return np.linalg.norm(vectors - nearest, axis=(1, 2))


def nearest_signed_permutation(matrix: np.ndarray, solver: str = "assignment") -> np.ndarray:
    """P(V) in Eq. 29: the signed permutation nearest in L1 to matrix [n, n], entries in [-1, 1]."""
    if solver == "milp":
        return _solve_milp(matrix)
    # Giving cell (a, b) the sign of V_ab changes the L1 distance by 1 - 2 |V_ab|, as |V_ab| <= 1:
    # the distance is least where the sum of the chosen |V_ab| is greatest.
    chosen = linear_sum_assignment(np.abs(matrix), maximize=True)
    nearest = np.zeros_like(matrix)
    nearest[chosen] = np.copysign(1, matrix[chosen])
    return nearest


def right_singular_vectors(jacobians: np.ndarray, first_point: int = 0) -> np.ndarray:
    """V^T of J = U S V^T: [points, latents, latents] in float64, largest singular value first.

    An all-zero column has its own unit vector, ahead of the others.

    Raises:
        InputError: wrong shape, or a Jacobian that is not finite.
    """
    factors = triangular_factors(jacobians, first_point)
    latents = factors.shape[-1]
    zero = ~factors.any(axis=1)
    if zero.any():
        # The SVD would return any basis of the null space. Lengths beyond every singular value,
        # all different, make the axes of the zero columns the only choice.
        scale = np.linalg.norm(factors, axis=(1, 2))
        scale[scale == 0] = 1
        lengths = zero * np.multiply.outer(scale, np.arange(latents) + 2.0)
        factors = np.concatenate([factors, lengths[:, :, None] * np.eye(latents)], axis=1)
    return np.linalg.svd(factors, full_matrices=False)[2]


def triangular_factors(jacobians: np.ndarray, first_point: int = 0) -> np.ndarray:
    """R of J = Q R: [points, latents, latents] in float64.

    R has the singular values and the V of J, and R[:, :, latents] those of J[:, :, latents]: it can
    stand for J in every function of this module.

    Raises:
        InputError: wrong shape, or a Jacobian that is not finite.
    """
    jacobians = with_checked_shape(jacobians)
    points, outputs, latents = jacobians.shape
    if outputs < latents:
        raise InputError(
            f"Jacobians of {outputs} outputs with respect to {latents} latents do not determine V; "
            "DtO needs at least as many outputs as latents. Is the order [points, outputs, latents]?"
        )
    factors = np.empty((points, latents, latents))
    step = max(1, _CHUNK_BYTES // (8 * outputs * latents))
    # From about 8 latents on, BLAS would share each of these small products among threads that wait
    # for each other: 4096 x 10 beside other work on 2 cores, 140 points/s; alone in a thread, 2,000.
    with _blas().limit(limits=1):
        for start in range(0, points, step):
            chunk = jacobians[start : start + step].astype(np.float64)
            factors[start : start + step] = _triangular(chunk, first_point + start)
    return factors


def _triangular(jacobians: np.ndarray, first_point: int) -> np.ndarray:
    """`triangular_factors` in float64: Cholesky's J^T J = R^T R where R comes out exact, else QR.

    The columns' lengths may differ as they like: where passive latents' were 1e-10 of the active
    ones, V of this R was off by 3e-14, as V of QR's; V of J^T J's eigenvectors, by 4e-3 at 1e-6.
    Only columns that all but depend on each other lose digits, and are left to QR.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        gram = jacobians.swapaxes(1, 2) @ jacobians
    squares = np.diagonal(gram, axis1=1, axis2=2)
    exact = ((squares > _LEAST_SQUARE) & (squares < 1 / _LEAST_SQUARE)).all(axis=1)
    if not exact.all():
        finite = np.isfinite(jacobians).all(axis=(1, 2))
        if not finite.all():
            raise InputError(
                f"The Jacobian at point {first_point + int(np.argmin(finite))} is not finite: the "
                "decoder overflows there. Was the training stable?"
            )
        gram[~exact] = np.eye(gram.shape[-1])
    try:
        factors = np.linalg.cholesky(gram).swapaxes(1, 2)
    except np.linalg.LinAlgError:
        return np.linalg.qr(jacobians, mode="r")
    pivots = np.diagonal(factors, axis1=1, axis2=2)
    exact &= (pivots**2 > _LEAST_SHARE * squares).all(axis=1)
    if not exact.all():
        factors[~exact] = np.linalg.qr(jacobians[~exact], mode="r")
    return factors


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def _solve_milp(matrix: np.ndarray) -> np.ndarray:
    from ortools.linear_solver import pywraplp

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
