# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vae_ortho_plugin.measures.loss_decomposition import loss_decomposition

SAMPLES = 20_000


def decomposed(decoder, jacobian, means, scale, observations, seed=0):
    """Of a posterior N(means, scale scaleᵀ)."""
    rng = np.random.default_rng(seed)
    samples = (
        decoder(means + rng.normal(size=means.shape) @ np.transpose(scale)) for _ in range(SAMPLES)
    )
    return loss_decomposition(observations, decoder(means), samples, jacobian @ scale)


def test_terms_of_a_linear_decoder_are_known():
    rng = np.random.default_rng(1)
    weights, sigma = rng.normal(size=(4, 2)), np.array([0.5, 0.1])
    means, observations = rng.normal(size=(3, 2)), rng.normal(size=(3, 4))
    jacobians = np.broadcast_to(weights, (3, 4, 2))
    terms = decomposed(lambda z: z @ weights.T, jacobians, means, np.diag(sigma), observations)
    stochastic = np.sum(sigma**2 * np.sum(weights**2, axis=0))
    deterministic = np.sum((means @ weights.T - observations) ** 2, axis=1)
    assert terms.linearized.per_point == pytest.approx(np.full(3, stochastic))
    assert terms.deterministic.per_point == pytest.approx(deterministic)
    assert terms.stochastic.per_point == pytest.approx(np.full(3, stochastic), rel=0.05)
    assert terms.total.per_point == pytest.approx(deterministic + stochastic, rel=0.02)


def test_the_square_decoder_misses_linearization_and_proposition_4_by_known_amounts():
    means, observations, sigma = np.array([[1.0], [-0.5]]), np.array([[0.0], [2.0]]), 0.6
    terms = decomposed(np.square, 2 * means[:, :, None], means, np.array([[sigma]]), observations)
    mean, target = means[:, 0], observations[:, 0]
    # z = μ + σε: z² − μ² = 2μσε + σ²ε², of the mean σ², the variance 4μ²σ² + 2σ⁴.
    assert terms.linearized.per_point == pytest.approx(4 * mean**2 * sigma**2)
    stochastic = 4 * mean**2 * sigma**2 + 3 * sigma**4
    assert terms.stochastic.per_point == pytest.approx(stochastic, rel=0.1)
    bias = terms.total.per_point - terms.deterministic.per_point - terms.stochastic.per_point
    assert bias == pytest.approx(2 * (mean**2 - target) * sigma**2, rel=0.1)


def test_observations_may_be_images():
    images = np.arange(24.0).reshape(2, 3, 4, 1)
    terms = loss_decomposition(images, images + 1, [images + 3], np.ones((2, 12, 1)))
    assert terms.deterministic.per_point.tolist() == [12, 12]
    assert terms.stochastic.per_point.tolist() == [48, 48]
    assert terms.total.per_point.tolist() == [108, 108]
    assert terms.linearized.per_point.tolist() == [12, 12]
