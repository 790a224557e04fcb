# SPDX-License-Identifier: Apache-2.0
"""`mcc` and `infomec`: latents against generating factors."""

import math

import numpy as np
import pytest

from vae_ortho_plugin import infomec, mcc

GRID = np.array([[a, b] for a in range(12) for b in range(12)], np.float64)
BOTH = ["continuous", "continuous"]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_latents_that_are_the_factors_in_any_order_and_scale_correlate_fully():
    found = mcc((GRID[:, ::-1] + 5) * [-3, 1e-200], GRID)
    assert found.mean == pytest.approx(1, rel=1e-12)
    assert found.matched.tolist() == [1, 0]
    assert found.correlations == pytest.approx(np.array([[0, 1], [1, 0]]), abs=1e-12)


def test_spearman_takes_ranks_and_averages_those_of_equal_values():
    factor = [[0], [0], [1], [2]]
    monotone = [[0], [0], [1], [100]]
    assert mcc(monotone, factor, correlation="spearman").mean == pytest.approx(1, rel=1e-12)
    assert mcc(monotone, factor).mean < 0.9


def test_a_constant_latent_correlates_with_nothing_and_a_factor_without_a_latent_counts_as_zero():
    constant = np.full((144, 1), 0.1)  # its standard deviation is a rounding error
    found = mcc(np.hstack([constant, GRID[:, :1]]), GRID)
    assert found.correlations[0].tolist() == [0, 0]
    assert found.mean == pytest.approx(0.5)
    found = mcc(GRID[:, 1:], GRID)
    assert (found.mean, found.matched.tolist()) == (pytest.approx(0.5), [-1, 0])


def test_measures_of_factors_take_more_latents_than_points():
    means, factors = noise(6, 9), np.array([[0], [0], [1], [1], [2], [2]])
    assert 0 < mcc(means, factors).mean <= 1
    # Six points lie on a plane over nine latents, whatever these are.
    assert infomec(means, factors, ["continuous"]).infoe == pytest.approx(1)


def test_infomec_of_its_authors():
    """Their code at commit 4ba4c9d with scikit-learn 1.5.2 gives these numbers."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(classes, size=3000) for classes in (4, 7, 3)], axis=1)
    mixed = factors @ rng.normal(size=(3, 3)) * 0.4 + rng.normal(size=(3000, 3))
    small_and_unrelated = rng.normal(size=(3000, 2)) * [0.05, 2]
    means = np.hstack([mixed, small_and_unrelated, np.zeros((3000, 1))])
    found = infomec(means, factors, ["categorical"] * 3)
    # The estimator counts neighbours, so that rounding may move a number by more than its last bits.
    assert found.infom == pytest.approx(0.8363247, abs=1e-4)
    assert found.infoe == pytest.approx(0.1605649, abs=1e-4)
    assert found.infoc == pytest.approx(0.5540082, abs=1e-4)
    assert found.nmi[1] == pytest.approx([0.08176305, 0.11961765, 0.00241755], abs=1e-4)
    assert found.kept == [0, 1, 2, 4]


def test_the_explicitness_of_a_continuous_factor_is_the_share_of_its_variance():
    sums = GRID.sum(axis=1, keepdims=True)
    assert infomec(GRID[:, :1], sums, ["continuous"]).infoe == pytest.approx(0.5)


def test_a_factor_whose_values_do_not_repeat_counts_by_steps():
    line = np.linspace(0, 1, 400)
    steps = np.floor(line * 20).clip(max=19)
    latents = line[:, None] + 1e-3 * noise(400, 1)
    by_value = infomec(latents, line[:, None], ["continuous"])
    assert by_value.nmi == pytest.approx(infomec(latents, steps[:, None], ["continuous"]).nmi)


def test_infomec_of_constant_latents_knows_nothing():
    found = infomec(np.full((144, 2), 0.1), GRID, BOTH)
    assert math.isnan(found.infom) and math.isnan(found.infoc)
    assert (found.infoe, found.kept, found.nmi.tolist()) == (0, [], [[0, 0], [0, 0]])


def test_infomec_of_the_factors_is_one_but_infom_needs_two_factors_and_infoc_two_latents():
    found = infomec(GRID + 1e-3 * noise(144, 2), GRID, BOTH)
    assert (found.infom, found.infoc) == (pytest.approx(1, abs=0.1), pytest.approx(1, abs=0.1))
    assert found.infoe == pytest.approx(1, abs=1e-6)
    found = infomec(GRID, GRID[:, :1], ["continuous"])
    assert math.isnan(found.infom) and found.infoc > 0.9
    found = infomec(GRID[:, :1], GRID, BOTH)
    assert math.isnan(found.infoc) and found.infom > 0.9
