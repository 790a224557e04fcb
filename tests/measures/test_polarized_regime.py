# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from vae_ortho_plugin.measures.polarized_regime import (
    delta_kl_of_terms,
    latent_types,
    polarized_regime,
    share_below,
)

STEPS = [100, 200, 300, 400]


def test_kl_terms_of_an_active_and_a_passive_latent():
    means = [[1, 0], [-1, 0]]
    sigma = [[math.exp(-2), 1], [math.exp(-1), 1]]
    found = polarized_regime(means, sigma)
    # Active: 0.5 (1 + 4 - 1) and 0.5 (1 + 2 - 1); passive: 0.
    assert found.active == [0]
    assert found.polarized_kl == pytest.approx(1.5)
    of_variances = 0.25 * (math.exp(-4) + math.exp(-2))
    assert found.kl == pytest.approx(1.5 + of_variances)
    assert found.delta_kl == pytest.approx(of_variances / (1.5 + of_variances))


def test_a_passive_latent_that_costs_kl_counts_as_deviation():
    found = polarized_regime([[1, 0], [-1, 0]], [[1e-9, math.e**0.5], [1e-9, math.e**0.5]])
    assert found.kl - found.polarized_kl == pytest.approx(0.5 * (math.e - 2), rel=1e-6)


def test_a_latent_is_active_where_its_mean_deviates_by_more_than_a_half():
    means = [[3.51, 0.49, 0], [2.49, -0.49, 0.5]]
    assert polarized_regime(means, np.ones([2, 3])).active == [0]


def test_the_deviation_is_whole_without_active_latents_and_never_negative():
    for sigma in (0.9, 1.0):
        assert polarized_regime(np.zeros([5, 2]), np.full([5, 2], sigma)).delta_kl == 1
    assert delta_kl_of_terms(-1e-9, 0) == 1
    assert delta_kl_of_terms(2, 3) == 0.5


@pytest.mark.parametrize(
    "values, share",
    [
        ([0.01, 0.01, 0.01, 0.01], 75),
        ([0.01, 0.50, 0.01, 0.01], 25),
        ([0.50, 0.50, 0.50, 0.01], 0),
        ([0.01, 0.01, 0.01, 0.50], 0),
        ([0.03, 0.01, 0.01, 0.01], 50),
        ([0.01, np.nan, 0.01, 0.01], 25),
    ],
)
def test_share_of_the_training_after_which_the_deviation_stays_below(values, share):
    assert share_below(STEPS, values, 400) == share


def test_the_first_and_the_last_steps_of_a_training_run_count_and_another_threshold_can_be_taken():
    assert share_below([100, 200], [0.5, 0.01], 1000) == 80
    assert share_below([0, 100], [0.01, 0.01], 100) == 100
    assert share_below(STEPS, [0.3, 0.2, 0.1, 0.1], 400, threshold=0.25) == 50


def test_the_type_of_a_latent_goes_by_mean_and_variance_of_its_noise():
    halves = np.ones((50, 1))
    columns = [
        (0.0, 0.2),  # both small
        (1.04, 1.05),  # σ² of 1.09
        (0.7, 0.7),  # constant in between
        (0.0, 1.0),  # active at half of the points: variance 1/4
        (1.2, 1.2),  # σ² of 1.44
    ]
    sigma = np.concatenate([halves * [a for a, _ in columns], halves * [b for _, b in columns]])
    found = latent_types(sigma)
    assert (found.active, found.passive, found.mixed) == ([0], [1], [2, 3, 4])
    assert found.mean_of_squares == pytest.approx([0.02, (1.04**2 + 1.05**2) / 2, 0.49, 0.5, 1.44])
    assert found.variance_of_squares[3] == pytest.approx(0.25)
    of_one_point = latent_types([[0.0, 1.0]])
    assert (of_one_point.active, of_one_point.passive) == ([0], [1])
