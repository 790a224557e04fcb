# SPDX-License-Identifier: Apache-2.0
from itertools import permutations, product

import numpy as np
import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.dto import (
    distance_to_orthogonality,
    nearest_signed_permutation,
    right_singular_vectors,
)
from vae_ortho_plugin.measures.shared.jacobians import small_jacobians, triangular_factors


def random_orthogonal(rng, points, size):
    return np.linalg.qr(rng.normal(size=(points, size, size)))[0]


def random_jacobians(rng, points=20, outputs=30, latents=5):
    return rng.normal(size=(points, outputs, latents)) * rng.uniform(0.1, 2, size=latents)


def rotation(theta):
    return np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])


def jacobian_with(v, lengths, outputs=40, seed=0):
    """[1, outputs, latents] with singular values `lengths` and right singular vectors v."""
    u = np.linalg.qr(np.random.default_rng(seed).normal(size=(outputs, len(lengths))))[0]
    return (u * lengths @ v.T)[None]


@pytest.mark.parametrize("degrees", [0, 30, 44, 46, 100, 250])
def test_dto_of_a_rotated_2d_decoder_has_the_closed_form(degrees):
    # The nearest signed permutation is the rotation by the nearest multiple of 90 degrees.
    left = np.deg2rad(min(degrees % 90, 90 - degrees % 90))
    jacobian = jacobian_with(rotation(np.deg2rad(degrees)), [2.0, 1.0])
    expected = 2 * np.sqrt(2) * np.sin(left / 2)
    assert distance_to_orthogonality(jacobian).mean == pytest.approx(expected, abs=1e-7)


def test_dto_is_the_distance_of_v_from_the_nearest_of_all_signed_permutations():
    rng = np.random.default_rng(0)
    candidates = [
        np.diag(signs) @ np.eye(3)[list(order)]
        for signs in product([-1, 1], repeat=3)
        for order in permutations(range(3))
    ]
    for v in random_orthogonal(rng, 10, 3):
        nearest = min(candidates, key=lambda p: np.abs(v - p).sum())
        jacobian = jacobian_with(v, [3.0, 2.0, 1.0])
        expected = np.linalg.norm(v - nearest)
        assert distance_to_orthogonality(jacobian).mean == pytest.approx(expected)


def assert_same_dto(first, second):
    np.testing.assert_allclose(
        distance_to_orthogonality(first).per_point,
        distance_to_orthogonality(second).per_point,
        atol=1e-9,
    )


def test_dto_does_not_depend_on_order_and_sign_of_latents_and_orthogonal_maps_of_the_output():
    rng = np.random.default_rng(1)
    jacobians = random_jacobians(rng)
    assert_same_dto(jacobians, jacobians[:, :, rng.permutation(5)] * rng.choice([-1, 1], size=5))
    assert_same_dto(jacobians, random_orthogonal(rng, 1, 30) @ jacobians)


def test_zero_columns_add_nothing_to_the_distance():
    rng = np.random.default_rng(3)
    jacobians = random_jacobians(rng, latents=4)
    with_zeros = np.zeros((20, 30, 10))
    with_zeros[:, :, [1, 4, 5, 8]] = jacobians
    assert_same_dto(with_zeros, jacobians)
    assert distance_to_orthogonality(np.zeros((3, 5, 4))).mean == 0


@pytest.mark.parametrize("passive", [1e-3, 1e-8])
def test_v_is_accurate_when_passive_columns_are_tiny(passive):
    # Active and passive columns orthogonal to each other: V is known block by block.
    rng = np.random.default_rng(4)
    u = np.linalg.qr(rng.normal(size=(50, 4)))[0]
    jacobian = np.zeros((50, 4))
    jacobian[:, [3, 1]] = u[:, :2] * [2, 1] @ rotation(0.3).T
    jacobian[:, [0, 2]] = u[:, 2:] * [2, 1] @ rotation(0.5).T * passive
    expected = np.zeros((4, 4))
    expected[:2, [3, 1]] = rotation(0.3).T
    expected[2:, [0, 2]] = rotation(0.5).T
    vectors = right_singular_vectors(jacobian[None])[0]
    np.testing.assert_allclose(np.abs(vectors), np.abs(expected), atol=1e-6)


def test_assignment_and_milp_find_the_same_signed_permutation():
    rng = np.random.default_rng(5)
    for size in (1, 2, 3, 5, 8):
        for v in random_orthogonal(rng, 3, size):
            by_milp = nearest_signed_permutation(v, "milp")
            np.testing.assert_array_equal(nearest_signed_permutation(v), by_milp)
    jacobians = random_jacobians(rng, points=3)
    by_milp = distance_to_orthogonality(jacobians, "milp").per_point
    np.testing.assert_allclose(by_milp, distance_to_orthogonality(jacobians).per_point)


def test_batches_and_triangular_factors_give_what_all_jacobians_at_once_give():
    jacobians = random_jacobians(np.random.default_rng(6), points=50, outputs=9000)
    whole = distance_to_orthogonality(jacobians)
    factors = np.concatenate([triangular_factors(jacobians[i : i + 7]) for i in range(0, 50, 7)])
    assert distance_to_orthogonality(factors).mean == pytest.approx(whole.mean)
    assert_same_dto(factors[:, :, [0, 3, 4]], jacobians[:, :, [0, 3, 4]])


@pytest.mark.parametrize("scale", [1e-12, 1, 1e6])
def test_triangular_factors_are_those_of_qr_whatever_the_lengths_of_columns(scale):
    jacobians = random_jacobians(np.random.default_rng(11), points=30)
    jacobians[:, :, [1, 3]] *= scale
    expected = np.linalg.qr(jacobians, mode="r")
    expected *= np.sign(np.diagonal(expected, axis1=1, axis2=2))[:, :, None]
    factors = triangular_factors(jacobians)
    lengths = np.linalg.norm(jacobians, axis=1)[:, None]
    np.testing.assert_allclose(factors / lengths, expected / lengths, atol=1e-12)


@pytest.mark.parametrize("difference", [1e-3, 1e-9, 0.0])
def test_columns_that_nearly_depend_on_each_other_are_as_precise(difference):
    """Cholesky's J^T J = R^T R would lose twice as many digits as the difference is small."""
    rng = np.random.default_rng(12)
    jacobians = random_jacobians(rng, points=8)
    jacobians[2, :, 4] = jacobians[2, :, 0] + difference * jacobians[2, :, 4]
    jacobians[5, :, 3] = 0
    singular_values = np.linalg.svd(triangular_factors(jacobians), compute_uv=False)
    expected = np.linalg.svd(jacobians, compute_uv=False)
    np.testing.assert_allclose(singular_values, expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-220, 1e120, 1e220])
def test_columns_whose_squares_leave_the_range_of_float64(scale):
    jacobians = random_jacobians(np.random.default_rng(13), points=6)
    expected = distance_to_orthogonality(jacobians).per_point
    np.testing.assert_allclose(distance_to_orthogonality(jacobians * scale).per_point, expected)


def test_a_jacobian_that_is_not_finite_is_named():
    jacobians = random_jacobians(np.random.default_rng(8), points=6, outputs=60000)
    jacobians[4, 7, 2], jacobians[5, 0, 0] = np.inf, np.nan
    with pytest.raises(InputError, match="at point 4 is not finite"):
        distance_to_orthogonality(jacobians)
    with pytest.raises(InputError, match="at point 104 is not finite"):
        small_jacobians(jacobians, first_point=100)
