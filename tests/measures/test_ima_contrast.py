# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vae_ortho_plugin import measures
from vae_ortho_plugin.measures.summaries import of_jacobians

RNG = np.random.default_rng(0)
JACOBIANS = RNG.normal(size=(30, 7, 4))
ORTHOGONAL = np.linalg.qr(RNG.normal(size=(30, 7, 4)))[0]


def of_determinants(gram):
    diagonal = np.log(np.diagonal(gram, axis1=1, axis2=2)).sum(1)
    return (diagonal - np.linalg.slogdet(gram)[1]) / 2


def test_the_contrast_is_that_of_numpys_determinants_whatever_the_lengths_of_columns():
    """It is half the latents times the columns part of the precision gap."""
    contrast = measures.ima_contrast(JACOBIANS).per_point
    np.testing.assert_allclose(contrast, of_determinants(JACOBIANS.swapaxes(1, 2) @ JACOBIANS))
    gap = measures.precision_gap(JACOBIANS, np.ones((30, 4)))
    np.testing.assert_allclose(contrast, 4 / 2 * gap.columns_part.per_point)
    scaled = JACOBIANS * [1e-6, 1, 3, 1e6]
    np.testing.assert_allclose(measures.ima_contrast(scaled).per_point, contrast, rtol=1e-9)


@pytest.mark.parametrize("lengths", [1, [1e-9, 1, 2, 1e6]])
def test_all_three_are_0_for_orthogonal_columns_of_any_lengths(lengths):
    columns = ORTHOGONAL * lengths
    for values in (
        measures.ima_contrast(columns).per_point,
        measures.regularized_ima_contrast(columns, 0.1).per_point,
        measures.mean_abs_cosine(columns).per_point,
    ):
        np.testing.assert_allclose(values, 0, atol=1e-9)


def test_two_columns_at_an_angle():
    angle = np.deg2rad(10)
    columns = [[[1, np.sin(angle)], [0, np.cos(angle)]]]
    assert measures.mean_abs_cosine(columns).per_point == pytest.approx(np.sin(angle))
    assert measures.ima_contrast(columns).per_point == pytest.approx(-np.log(np.cos(angle)))


@pytest.mark.parametrize("columns", [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]])
def test_dependent_and_zero_columns_have_an_infinite_contrast_and_a_finite_regularized_one(columns):
    assert measures.ima_contrast([columns]).per_point == np.inf
    regularized = measures.regularized_ima_contrast([columns], 1e-3).per_point
    assert np.isfinite(regularized) and (regularized > 1) == (columns[0][1] > 0)


@pytest.mark.parametrize("beta", [1e-6, 0.1, 10])
def test_the_regularized_contrast_is_that_of_numpys_determinants(beta):
    expected = of_determinants(np.eye(4) + 2 / beta * JACOBIANS.swapaxes(1, 2) @ JACOBIANS)
    found = measures.regularized_ima_contrast(JACOBIANS, beta).per_point
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_passive_latent_hardly_counts_in_the_regularized_contrast():
    active = JACOBIANS[:, :, :3]
    with_passive = np.concatenate([active, 1e-6 * JACOBIANS[:, :, 3:]], axis=2)
    found, expected = (
        measures.regularized_ima_contrast(columns, 1e-3).per_point
        for columns in (with_passive, active)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_ratios_of_singular_values_tell_where_dto_is_arbitrary():
    scales = np.array([[4, 2, 2 / 1.04, 1], [8, 4, 2, 1], [1, 1, 1, 0]])
    jacobians = ORTHOGONAL[:3] * scales[:, None]
    ratios = measures.singular_value_ratios(jacobians)
    np.testing.assert_allclose(ratios, [[2, 1.04, 2 / 1.04], [2, 2, 2], [1, 1, np.inf]], rtol=1e-9)
    assert of_jacobians("dto", jacobians)["nearly_equal_share"] == pytest.approx(2 / 3)
    assert of_jacobians("dto", jacobians[1:2])["nearly_equal_share"] == 0
