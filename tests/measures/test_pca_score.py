# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vae_ortho_plugin.measures import pca_score

KINDS = ["continuous", "continuous"]
W = np.random.default_rng(0).random((10_000, 2))


def rectangle(degrees, factors=W):
    """The square turned by an angle and then stretched to twice its width."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return factors @ [[cosine, sine], [-sine, cosine]] * [2, 1]


def rolled(plane):
    """The plane on a cylinder, without a change of lengths."""
    return np.column_stack([np.cos(plane[:, 0]), np.sin(plane[:, 0]), plane[:, 1]])


@pytest.mark.parametrize("degrees, score", [(0, 0.999), (30, 0.39), (45, 0.02)])
def test_the_principal_components_of_a_turned_square_score_less(degrees, score):
    result = pca_score(rectangle(degrees), W, KINDS)
    # The sample's principal directions are 1 degree from those of the whole rectangle.
    assert result.score == pytest.approx(score, abs=0.03)
    tangent = np.tan(np.radians(degrees))
    expected = np.degrees(np.arctan([tangent / 2, 2 * tangent]))
    np.testing.assert_allclose(result.factor_angles, expected, atol=2)
    assert result.factor_angle == pytest.approx(np.mean(expected), abs=1)
    np.testing.assert_allclose(result.explained_variance, [0.8, 0.2], atol=0.01)


@pytest.mark.parametrize("degrees, share", [(15, 1), (30, 0)])
def test_the_directions_of_a_turned_and_rolled_square_agree_locally_as_in_the_plane(degrees, share):
    result = pca_score(rolled(rectangle(degrees)), W, KINDS)
    assert result.local_agreement == share and result.num_local_points == 200
    tangent = np.tan(np.radians(degrees))
    expected = np.degrees(np.arctan([tangent / 2, 2 * tangent])).mean()
    assert result.local_angle == pytest.approx(expected, abs=0.5)


def test_the_local_share_is_that_of_the_points_where_the_map_is_turned_little():
    # Shearing by w1^2: the Jacobian is [[2, 0], [4 w1, 1]], whose angle grows with w1.
    images = np.column_stack([2 * W[:, 0], W[:, 1] + 2 * W[:, 0] ** 2])
    slopes = np.array([[[2, 0], [4 * x, 1]] for x in np.linspace(0, 1, 1001)])
    principal = np.linalg.svd(slopes)[0]
    columns = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    cosines = np.abs(np.einsum("nok,nol->nkl", principal, columns)).clip(max=1)
    angles = np.degrees(np.arccos(cosines))
    straight, crossed = angles[:, [0, 1], [0, 1]].mean(1), angles[:, [0, 1], [1, 0]].mean(1)
    expected = np.mean(np.minimum(straight, crossed) < 22.5)
    result = pca_score(images, W, KINDS, local_points=2000)
    assert 0.1 < expected < 0.9
    assert result.local_agreement == pytest.approx(expected, abs=0.05)


def test_correlated_factors_turn_the_principal_directions():
    second = 0.7 * W[:, 0] + 0.3 * W[:, 1]
    factors = np.column_stack([W[:, 0], second / second.std() * W[:, 0].std()])
    result = pca_score(rectangle(0, factors), factors, KINDS)
    correlation = np.corrcoef(factors.T)[0, 1]
    expected = np.degrees(np.arctan(4 * correlation / 3) / 2)
    np.testing.assert_allclose(result.factor_angles, expected, atol=1)
    assert result.local_agreement == 1


def test_classes_have_no_angle_and_count_in_the_score():
    classes = np.random.default_rng(1).integers(3, size=len(W))
    factors = np.column_stack([W, classes])
    images = np.column_stack([4 * W[:, 0], W[:, 1], 2 * classes])
    result = pca_score(images, factors, [*KINDS, "categorical"])
    assert np.isnan(result.factor_angles[2]) and result.factor_angle < 3
    assert result.factor_scores[2] > 0.5 and result.local_agreement == 1
    only = pca_score(images, factors[:, 1:], ["continuous", "categorical"])
    assert np.isnan(only.local_agreement) and only.num_local_points == 0
