# SPDX-License-Identifier: Apache-2.0
"""The optimum of Theorem 2, and how far noise and columns are from it: `precision_gap`, `self_consistency`."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures import optimum, precision_gap, self_consistency

# Eq. 24, and Sec. 4.2: M2 = M1 R45ᵀ.
M1 = np.array([[4.0, 1], [-3, 1], [5, -1]])
R45 = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
M2 = M1 @ R45.T


def random_jacobians(points=3, outputs=5, latents=3, seed=0):
    return np.random.default_rng(seed).normal(size=(points, outputs, latents)) * [1, 2, 4][:latents]


def random_points(outputs=5):
    sigma = np.random.default_rng(1).uniform(0.1, 2, size=(4, 3))
    return random_jacobians(points=4, outputs=outputs), sigma


def spent(free, total):
    """log σ² of which the last makes Σ −log σ² = total."""
    return np.append(free, -total - np.sum(free))


def rotation(parameters):
    """Of the plane by an angle, or of space by a rotation vector."""
    if len(parameters) == 3:
        return Rotation.from_rotvec(parameters).as_matrix()
    return Rotation.from_rotvec([0, 0, parameters[0]]).as_matrix()[:2, :2]


def test_the_worked_examples_of_section_4():
    assert M2 * np.sqrt(2) == pytest.approx(np.array([[3, 5], [-4, -2], [6, 4]]))
    assert np.sum(M2**2, axis=0) == pytest.approx([61 / 2, 45 / 2])
    half = 0.7  # the paper's C; its e^(−C) is that of P = 2C
    least = np.exp(optimum.log_least_loss(np.stack([M1, M2]), 2 * half))
    assert least == pytest.approx([24.5 * np.exp(-half), 52.4 * np.exp(-half)], rel=1e-3)
    assert least[0] == pytest.approx(2 * np.sqrt(50 * 3) * np.exp(-half))
    assert least[1] == pytest.approx(2 * np.sqrt(61 * 45 / 4) * np.exp(-half))
    bound = np.exp(optimum.log_lower_bound(np.stack([M1, M2]), 0.0))
    assert bound == pytest.approx([2 * np.sqrt(134)] * 2)  # det M1ᵀM1 = 50 · 3 − 4²


@pytest.mark.parametrize("latents", [2, 3])
def test_optimal_sigma_is_what_direct_optimization_finds(latents):
    jacobians = random_jacobians(latents=latents)
    budgets = np.array([3.0, -1.0, 8.0])
    sigma = optimum.optimal_sigma(jacobians, budgets)
    assert optimum.precision(sigma) == pytest.approx(budgets)
    least = optimum.log_least_loss(jacobians, budgets)
    assert optimum.log_linearized_loss(jacobians, sigma) == pytest.approx(least)
    for jacobian, budget, closed_form, value in zip(jacobians, budgets, sigma, least, strict=True):
        squares = np.sum(jacobian**2, axis=0)
        found = minimize(
            lambda free, squares=squares, budget=budget: np.log(
                np.exp(spent(free, budget)) @ squares
            ),
            np.zeros(latents - 1),
            tol=1e-12,
        )
        assert found.fun == pytest.approx(value, abs=1e-8)
        assert np.exp(spent(found.x, budget) / 2) == pytest.approx(closed_form, rel=1e-4)


def test_every_start_over_sigma_and_rotations_ends_at_the_bound_with_orthogonal_columns():
    """Corollary 1."""
    (jacobian,) = random_jacobians(points=1)
    budget, rng = 4.0, np.random.default_rng(1)
    bound = optimum.log_lower_bound(jacobian[None], budget)[0]

    def rotated(parameters):
        return jacobian @ rotation(parameters[:3])

    def objective(parameters):
        squares = np.sum(rotated(parameters) ** 2, axis=0)
        return np.log(np.exp(spent(parameters[3:], budget)) @ squares)

    for _ in range(3):
        found = minimize(objective, rng.normal(size=5), tol=1e-12)
        assert found.fun == pytest.approx(bound, abs=1e-6)
        columns = rotated(found.x)
        gram = columns.T @ columns
        assert gram - np.diag(np.diag(gram)) == pytest.approx(np.zeros((3, 3)), abs=1e-2)


def test_the_minimum_over_all_points_is_the_sum_of_the_bounds_however_the_budget_is_divided():
    """Theorem 2: Eqs. 18 and 19."""
    jacobians = random_jacobians(points=3, latents=2)
    total = 6.0
    bounds = [
        optimum.log_lower_bound(jacobians, np.array(division)).sum()
        for division in ([2.0, 2, 2], [9.0, -5, 2])
    ]
    assert bounds[0] == pytest.approx(bounds[1])

    def objective(parameters):
        log_variances = spent(parameters[3:], total).reshape(3, 2)
        return sum(
            np.log(np.exp(v) @ np.sum((jacobian @ rotation([angle])) ** 2, axis=0))
            for jacobian, angle, v in zip(jacobians, parameters[:3], log_variances, strict=True)
        )

    for seed in range(3):
        start = np.random.default_rng(seed).normal(size=8)
        found = minimize(objective, start, tol=1e-12)
        assert found.fun == pytest.approx(bounds[0], abs=1e-6)


@pytest.mark.parametrize("outputs", [2, 3, 5])
def test_optimal_columns_are_a_rotation_of_the_jacobian_with_orthogonal_columns(outputs):
    jacobians = random_jacobians(outputs=outputs)
    columns = optimum.optimal_columns(jacobians)
    assert columns @ columns.swapaxes(1, 2) == pytest.approx(jacobians @ jacobians.swapaxes(1, 2))
    gram = columns.swapaxes(1, 2) @ columns
    assert gram == pytest.approx(gram * np.eye(3), abs=1e-9)
    if outputs >= 3:
        assert optimum.log_column_product(columns) == pytest.approx(optimum.log_volume(jacobians))


def test_linearized_loss_is_the_mean_over_noise():
    (jacobian,), sigma = random_jacobians(points=1), np.array([0.5, 1.0, 0.1])
    noise = np.random.default_rng(3).normal(size=(200_000, 3)) * sigma
    squares = np.sum((noise @ jacobian.T) ** 2, axis=1)
    loss = np.exp(optimum.log_linearized_loss(jacobian[None], sigma[None]))[0]
    assert abs(squares.mean() - loss) < 4 * squares.std() / np.sqrt(squares.size)


def test_precision_of_a_kl_value_gives_that_value_back():
    rng = np.random.default_rng(4)
    means, sigma = rng.normal(size=(6, 3)), rng.uniform(0.1, 1, size=(6, 3))
    kl = 0.5 * np.sum(means**2 - np.log(sigma**2) - 1, axis=1)  # Eq. 10
    assert optimum.precision_of_kl(kl, means) == pytest.approx(optimum.precision(sigma))


def test_the_volume_is_that_of_the_singular_values():
    jacobians = random_jacobians()
    expected = np.log(np.linalg.svd(jacobians, compute_uv=False)).sum(axis=1)
    assert optimum.log_volume(jacobians) == pytest.approx(expected)
    factors = np.linalg.qr(jacobians, mode="r")  # may stand for the Jacobians
    assert optimum.log_volume(factors) == pytest.approx(expected)
    assert (optimum.log_column_product(jacobians) > expected).all()
    assert optimum.log_volume(jacobians[:, :2]).tolist() == [-np.inf] * 3  # fewer outputs


def test_a_column_of_zeros_has_no_optimal_sigma_and_no_product():
    jacobians = random_jacobians()
    jacobians[1, :, 2] = 0
    assert np.isneginf(optimum.log_column_product(jacobians)).tolist() == [False, True, False]
    with pytest.raises(InputError, match="ignores latent 2 at point 1.*leave that latent out"):
        optimum.optimal_sigma(jacobians, 1.0)


def test_columns_part_of_m1_and_m2_is_that_of_section_4():
    jacobians = np.stack([M1, M2])
    gap = precision_gap(jacobians, optimum.optimal_sigma(jacobians, 3.0))
    volume = 50 * 3 - 4**2  # det M1ᵀM1
    expected = np.log([np.sqrt(50 * 3 / volume), np.sqrt(61 / 2 * 45 / 2 / volume)])
    assert gap.columns_part.per_point == pytest.approx(expected)
    assert gap.sigma_part.per_point == pytest.approx([0, 0], abs=1e-12)
    assert gap.per_point == pytest.approx(expected)
    # Eqs. 25 and 26: the loss of M2 is 52.4 / 24.5 times that of M1.
    assert np.exp(gap.per_point[1] - gap.per_point[0]) == pytest.approx(52.4 / 24.5, rel=2e-3)
    columns = optimum.optimal_columns(jacobians)
    gap = precision_gap(columns, optimum.optimal_sigma(columns, [0, -2.0]))
    assert gap.per_point == pytest.approx([0, 0], abs=1e-12)


def test_the_gap_is_that_of_the_loss_to_its_lower_bound():
    jacobians, sigma = random_points()
    gap = precision_gap(jacobians, sigma)
    loss = np.einsum("ij,iaj->i", sigma**2, jacobians**2)
    volumes = np.prod(np.linalg.svd(jacobians, compute_uv=False), axis=1)
    bound = 3 * np.prod(sigma, axis=1) ** (2 / 3) * volumes ** (2 / 3)
    assert np.exp(gap.per_point) == pytest.approx(loss / bound)
    assert gap.per_point == pytest.approx(gap.sigma_part.per_point + gap.columns_part.per_point)
    assert (gap.sigma_part.per_point > 0).all() and (gap.columns_part.per_point > 0).all()


def test_the_columns_part_does_not_depend_on_sigma_nor_the_gap_on_the_unit_of_the_data():
    jacobians, sigma = random_points()
    gap = precision_gap(jacobians, sigma)
    other = precision_gap(jacobians, sigma[::-1])
    assert other.columns_part.per_point == pytest.approx(gap.columns_part.per_point)
    assert other.sigma_part.per_point != pytest.approx(gap.sigma_part.per_point)
    assert precision_gap(255 * jacobians, sigma / 7).per_point == pytest.approx(gap.per_point)


def test_dependent_columns_have_an_infinite_columns_part_and_a_zero_column_an_infinite_gap():
    jacobians, sigma = random_points(outputs=2)
    gap = precision_gap(jacobians, sigma)
    assert np.isinf(gap.columns_part.per_point).all() and np.isinf(gap.per_point).all()
    assert np.isfinite(gap.sigma_part.per_point).all() and gap.mean == np.inf
    for columns in ([[1.0, 1.0], [1.0, 1.0]], [[1.0, 3.0], [0.1, 0.3]]):  # in spite of rounding
        assert precision_gap([columns], [[1, 1]]).columns_part.mean == np.inf
    jacobians, sigma = random_points()
    jacobians[1, :, 0] = 0
    gap = precision_gap(jacobians, sigma)
    for part in (gap, gap.sigma_part, gap.columns_part):
        assert np.isinf(part.per_point).tolist() == [False, True, False, False]


def linearized_loss(jacobian, sigma, beta):
    """Of one point: what depends on the noise, squared error + β KL."""
    noise = (sigma**2 * (jacobian**2).sum(axis=0)).sum()
    return noise + beta / 2 * (sigma**2 - 2 * np.log(sigma)).sum()


def test_the_ratios_are_one_where_no_change_of_the_noise_lowers_the_loss():
    jacobian, beta = random_jacobians()[0], 0.7
    sigma = 1 / np.sqrt(1 + 2 / beta * (jacobian**2).sum(axis=0))
    found = self_consistency([jacobian], [sigma], beta)
    assert found.ratios == pytest.approx(np.ones((1, 3)), rel=1e-12)
    least = linearized_loss(jacobian, sigma, beta)
    for change in (0.99, 1.01):
        assert linearized_loss(jacobian, sigma * change, beta) > least


def test_self_consistency_is_the_mean_over_latents_and_points():
    jacobians, sigma = random_jacobians(), np.full((3, 3), 0.5)
    found = self_consistency(jacobians, sigma, 2.0)
    assert found.ratios == pytest.approx(0.25 * (1 + (jacobians**2).sum(axis=1)))
    assert found.per_point == pytest.approx(found.ratios.mean(axis=1))
    assert found.mean == pytest.approx(found.per_point.mean())
    assert found.stderr == pytest.approx(found.std / np.sqrt(3))
    # Latents that the decoder ignores are best at the prior, and may outnumber the outputs.
    ignored = self_consistency(np.zeros((2, 1, 4)), np.ones((2, 4)), 1.0)
    assert ignored.per_point.tolist() == [1, 1]
