# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vae_ortho_plugin.measures import optimum
from vae_ortho_plugin.measures.precision_gap import precision_gap

# Eq. 24, and Sec. 4.2: M2 = M1 R45ᵀ.
M1 = np.array([[4.0, 1], [-3, 1], [5, -1]])
M2 = M1 @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)


def random_points(seed=0, points=4, outputs=5, latents=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(points, outputs, latents)), rng.uniform(0.1, 2, size=(points, latents))


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
