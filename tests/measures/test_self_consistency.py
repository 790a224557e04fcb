# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vae_ortho_plugin import self_consistency


def random_jacobians(points=5, outputs=7, latents=3):
    return np.random.default_rng(0).normal(size=(points, outputs, latents))


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


def test_the_results_are_means_over_latents_and_points():
    jacobians, sigma = random_jacobians(), np.full((5, 3), 0.5)
    found = self_consistency(jacobians, sigma, 2.0)
    assert found.ratios == pytest.approx(0.25 * (1 + (jacobians**2).sum(axis=1)))
    assert found.per_point == pytest.approx(found.ratios.mean(axis=1))
    assert found.mean == pytest.approx(found.per_point.mean())
    assert found.stderr == pytest.approx(found.std / np.sqrt(5))
    # Latents that the decoder ignores are best at the prior, and may outnumber the outputs.
    ignored = self_consistency(np.zeros((2, 1, 4)), np.ones((2, 4)), 1.0)
    assert ignored.per_point.tolist() == [1, 1]
