# SPDX-License-Identifier: Apache-2.0
"""Decoder Jacobians: their shape, and small matrices with the same column norms and angles between columns."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import (
    Floats,
    check_shape,
    latent_indices,
    positive_sigma,
    real_array,
)

# A chunk of Jacobians, in float64, that stays in a core's cache: 1.5 to 2 times faster.
_CHUNK_BYTES = 2**20

# The smallest squared length of a column that is far from underflow.
_LEAST_SQUARE = 1e-200
# With a smaller share of it outside of the span of the columns before, R has fewer than 9 right digits.
_LEAST_SHARE = 1e-6


def checked_jacobians(jacobians: ArrayLike, active: ArrayLike | None = None) -> NDArray[Any]:
    """The Jacobians [points, outputs, latents] of the active latents, in their own type; values are not checked."""
    array = real_array("jacobians", jacobians)
    check_shape("jacobians", array, points=None, outputs=None, latents=None)
    return array if active is None else array[:, :, latent_indices(active, array.shape[2])]


def check_outputs(outputs: int, latents: int) -> None:
    """Raises InputError where there are too few outputs to determine V of J = U S V^T."""
    if outputs < latents:
        raise InputError(
            f"Jacobians of {outputs} outputs with respect to {latents} latents do not determine V; "
            "DtO needs at least as many outputs as latents. Is the order [points, outputs, latents]?"
        )


def triangular_factors(jacobians: ArrayLike) -> Floats:
    """R of each Jacobian J = Q R: upper triangular [points, latents, latents] in float64, diagonals of any sign.

    R has the singular values and the right singular vectors V of J, and R[:, :, latents] has those
    of J[:, :, latents]: it can stand for J in every measure of Jacobians, at a size that does not
    depend on the number of outputs. Where the Jacobians do not fit into memory, take R of each batch.

    >>> np.abs(triangular_factors([[[3, 0], [4, 5]]])).round(9).tolist()
    [[[5.0, 4.0], [0.0, 3.0]]]

    Args:
        jacobians: [points, outputs, latents], outputs >= latents.

    Raises:
        InputError: wrong shape, no real numbers, or a Jacobian that is not finite.
    """
    array = checked_jacobians(jacobians)
    _, outputs, latents = array.shape
    check_outputs(outputs, latents)
    return small_jacobians(array)


def small_jacobians(
    jacobians: ArrayLike, active: ArrayLike | None = None, first_point: int = 0
) -> Floats:
    """R of each J = Q R, or J itself where it has fewer outputs than latents.

    Its columns have the norms and angles of J's: [points, min(outputs, latents), latents] in float64. InputError
    if a Jacobian is not finite; `first_point` is the index of jacobians[0] among all points, for the message.
    """
    array = checked_jacobians(jacobians, active)
    points, outputs, latents = array.shape
    if outputs < latents:
        numbers = array.astype(np.float64)
        _check_finite(numbers, first_point + np.arange(points))
        return numbers
    factors = np.empty((points, latents, latents), np.float64)
    step = max(1, _CHUNK_BYTES // (8 * outputs * latents))
    # From about 8 latents on, BLAS would share each of these small products among threads that wait
    # for each other: 4096 x 10 beside other work on 2 cores, 140 points/s; alone in a thread, 2,000.
    with _blas().limit(limits=1):
        for start in range(0, points, step):
            chunk = array[start : start + step].astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                gram = chunk.swapaxes(1, 2) @ chunk
            factors[start : start + step] = factors_of_gram(
                gram, chunk.__getitem__, first_point + start
            )
    return factors


def small_of_batches(batches: Iterable[NDArray[Any]]) -> Floats:
    """`small_jacobians` of all points, whose Jacobians come in batches."""
    found, first_point = [], 0
    for jacobians in batches:
        found.append(small_jacobians(jacobians, first_point=first_point))
        first_point += len(jacobians)
    return np.concatenate(found)


def jacobians_and_sigma(
    jacobians: ArrayLike, sigma: ArrayLike, active: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """`small_jacobians` and the standard deviations, of the active latents."""
    array = checked_jacobians(jacobians)
    points, _, latents = array.shape
    numbers = positive_sigma(sigma, points, latents)
    return small_jacobians(array, active), numbers[:, latent_indices(active, latents)]


def factors_of_gram(
    gram: Floats, jacobians_at: Callable[[NDArray[np.bool_]], NDArray[Any]], first_point: int = 0
) -> Floats:
    """`triangular_factors` by Cholesky's J^T J = R^T R where that is exact, else by QR.

    The column norms may differ by any ratio: where those of passive latents were 1e-10 of those
    of active ones, V of this R was off by 3e-14, like V of QR's R; V of the eigenvectors of J^T J was
    off by 4e-3 at a ratio of 1e-6. Only columns that nearly depend on each other lose digits; QR
    takes these: `jacobians_at` gives those [chosen points, outputs, latents] where a mask [points] is true.
    `gram` is J^T J, [points, latents, latents], and overwritten. Errors and first_point as of `small_jacobians`.
    """
    squares = np.diagonal(gram, axis1=1, axis2=2).copy()
    exact = ((squares > _LEAST_SQUARE) & (squares < 1 / _LEAST_SQUARE)).all(axis=1)
    gram[~exact] = np.eye(gram.shape[-1])
    try:
        factors = np.asarray(np.linalg.cholesky(gram), np.float64).swapaxes(1, 2)
    except np.linalg.LinAlgError:
        factors = np.zeros_like(gram)
    pivots = np.diagonal(factors, axis1=1, axis2=2)
    exact &= (pivots**2 > _LEAST_SHARE * squares).all(axis=1)
    if not exact.all():
        jacobians = jacobians_at(np.logical_not(exact)).astype(np.float64)
        _check_finite(jacobians, first_point + np.flatnonzero(~exact))
        factors[~exact] = np.linalg.qr(jacobians, mode="r")
    return factors


def _check_finite(jacobians: Floats, points: NDArray[np.intp]) -> None:
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            f"The Jacobian at point {points[int(np.argmin(finite))]} is not finite: the "
            "decoder overflows there. Did the training run diverge?"
        )


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
