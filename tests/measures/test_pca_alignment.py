# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vae_ortho_plugin.measures.pca_alignment import (
    encoder_directions,
    matched_angles,
    principal_components,
)

AXES = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()  # columns: orthogonal directions


def plane(points=500, seed=0):
    """Data in a plane of space: they vary by 2 along the first of AXES, by 1 along the second."""
    coordinates = np.random.default_rng(seed).normal(size=(points, 2)) * [2, 1]
    # Decorrelated, so that AXES are PCA's directions exactly.
    coordinates -= coordinates.mean(axis=0)
    left = np.linalg.svd(coordinates, full_matrices=False)[0]
    coordinates = np.sqrt(points) * left * [2, 1]
    return coordinates, coordinates @ AXES[:, :2].T + [1, 2, 3]


def turned(degrees):
    """The plane's directions turned within it, as rows."""
    angle = np.radians(degrees)
    turn = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return np.array(turn) @ AXES[:, :2].T


def test_principal_components_are_the_axes_along_which_the_data_vary():
    coordinates, data = plane()
    pca = principal_components(np.split(data, 5), at_most=3)
    assert np.abs(pca.directions @ AXES[:, :2]) == pytest.approx(np.eye(2), abs=1e-9)
    assert pca.variances == pytest.approx([4, 1])
    assert pca.total_variance == pytest.approx(5)
    assert pca.mean == pytest.approx([1, 2, 3])
    signs = np.sign(np.diag(pca.directions @ AXES[:, :2]))
    assert pca.scores(data) == pytest.approx(signs * coordinates, abs=1e-9)
    assert len(principal_components([data], at_most=1).directions) == 1
    far = principal_components(np.split(data + 1e6, 5), at_most=2)
    assert far.variances == pytest.approx([4, 1], rel=1e-6)


def test_principal_components_of_images_are_those_of_their_pixels():
    images = np.random.default_rng(0).normal(size=(50, 2, 3, 1))
    pca = principal_components([images], at_most=6)
    covariance = np.cov(images.reshape(50, 6).T, ddof=0)
    assert pca.directions @ covariance @ pca.directions.T == pytest.approx(np.diag(pca.variances))
    assert pca.total_variance == pytest.approx(np.trace(covariance))


@pytest.mark.parametrize("degrees", [0, 1e-5, 20, 44])
def test_angles_of_a_turned_plane_are_the_turn(degrees):
    found = matched_angles(AXES[:, :2].T, [[-3], [0.1]] * turned(degrees))
    assert found.angles == pytest.approx([degrees, degrees], rel=1e-6, abs=1e-9)
    assert found.matched.tolist() == [0, 1]


def test_directions_are_matched_to_latents_of_their_own():
    found = matched_angles(AXES[:, :2].T, turned(60))
    assert found.angles == pytest.approx([30, 30])
    assert found.matched.tolist() == [1, 0]
    # Nearest to the first direction for both, but the second needs one as well.
    candidates = np.stack([turned(0)[0], turned(10)[0], AXES[:, 2]])
    found = matched_angles(AXES[:, :2].T, candidates)
    assert found.angles == pytest.approx([0, 80])
    assert found.matched.tolist() == [0, 1]
    found = matched_angles(AXES[:, :1].T, np.zeros((1, 3)))  # without a direction
    assert (found.angles.tolist(), found.matched.tolist()) == ([90], [0])


def test_encoder_directions_of_a_linear_encoder_are_its_weights_in_the_span_of_the_data():
    _, data = plane()
    weights = np.array([[1.0, 2, 3], [0.5, -1, 0]])
    pca = principal_components([data], at_most=2)
    scores = pca.scores(data[:50])
    for beyond in (0, 100):  # the data say nothing of the weights across their plane
        rows = encoder_directions(scores, data[:50] @ (weights + beyond * AXES[:, 2]).T + 7)
        assert rows == pytest.approx(weights @ pca.directions.T)
    line = np.linspace(-1, 1, 2001)[:, None]  # the best linear fit of a nonlinear encoder
    assert encoder_directions(line, line**3)[0, 0] == pytest.approx(3 / 5, rel=1e-2)  # ∫x⁴ / ∫x²
