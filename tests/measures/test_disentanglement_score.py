# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from vae_ortho_plugin.measures import disentanglement_score
from vae_ortho_plugin.measures.disentanglement_score import nearest_neighbors

MIXED = ["continuous", "categorical", "continuous"]


def mixed_data(points=600, seed=0):
    """Latents that carry the factors with different strengths, and factors of both kinds."""
    rng = np.random.default_rng(seed)
    factors = rng.uniform(size=(points, 3))
    factors[:, 1] = rng.choice([-1, 2, 7, 8], p=[0.4, 0.3, 0.2, 0.1], size=points)
    weights = rng.normal(size=(3, 5)) * [1, 1, 3, 0.1, 0]
    latents = factors @ weights + 0.3 * rng.normal(size=(points, 5))
    return latents.astype(np.float32), factors


def transcription(latents, factors, kinds, seed):
    """Eqs. 65 to 70 as they stand, for latents without ties: [latents, factors] and normalizers."""
    order = np.random.default_rng(seed).permutation(len(latents))
    number = round(0.2 * len(latents))
    test, train = order[:number], order[number:]
    scores = np.empty((latents.shape[1], factors.shape[1]))
    normalizers = np.empty(factors.shape[1])
    for k, kind in enumerate(kinds):
        fitted, truth = factors[train, k], factors[test, k]
        for j in range(latents.shape[1]):
            fitted_z, test_z = latents[train, j : j + 1], latents[test, j : j + 1]
            if kind == "continuous":
                probe = KNeighborsRegressor(5).fit(fitted_z, fitted)
                error = root_mean_squared_error(truth, probe.predict(test_z))
                scores[j, k] = truth.std() - error
                normalizers[k] = truth.std()
            else:
                probe = KNeighborsClassifier(5).fit(fitted_z, fitted)
                scores[j, k] = accuracy_score(truth, probe.predict(test_z))
                normalizers[k] = max(np.mean(truth == c) for c in np.unique(truth))
    return scores, normalizers


def test_score_matches_a_direct_transcription_of_its_equations():
    (latents, factors), seed = mixed_data(), 1
    scores, normalizers = transcription(latents, factors, MIXED, seed)
    result = disentanglement_score(latents, factors, MIXED, seed)
    np.testing.assert_allclose(result.score_matrix, scores, rtol=1e-9)

    ranked = np.sort(scores, axis=0)
    unclipped = (ranked[-1] - ranked[-2]) / normalizers
    np.testing.assert_allclose(result.unclipped_factor_scores, unclipped)
    assert result.unclipped_score == pytest.approx(unclipped.mean())

    constant = [0, normalizers[1], 0]
    ranked = np.sort(np.maximum(scores, constant), axis=0)
    clipped = np.clip((ranked[-1] - ranked[-2]) / normalizers, 0, 1)
    np.testing.assert_allclose(result.factor_scores, clipped)
    assert result.score == pytest.approx(clipped.mean())
    headroom = clipped * [1, normalizers[1] / (1 - normalizers[1]), 1]
    np.testing.assert_allclose(result.headroom_factor_scores, headroom)
    assert result.headroom_score == pytest.approx(headroom.mean())
    assert result.num_points == 600
    assert result.factor_kinds == MIXED


def test_aligned_latents_score_near_one_and_rotated_ones_near_zero():
    factors = np.random.default_rng(0).uniform(size=(3000, 2))
    result = disentanglement_score(factors[:, ::-1] * [-2, 5], factors, "continuous")
    assert result.score > 0.99
    assert (result.score_matrix[[1, 0], [0, 1]] > 0.28).all()  # nearly sd = 1 / sqrt(12)
    assert disentanglement_score(factors @ [[1, -1], [1, 1]], factors, "continuous").score < 0.1


def test_latents_that_know_nothing_score_near_zero():
    rng = np.random.default_rng(0)
    factors = rng.integers(3, size=(5000, 2))
    latents = rng.normal(size=(5000, 4))
    result = disentanglement_score(latents, factors, ["continuous", "categorical"])
    # Worse than a constant: five neighbours of noise have 20 % more variance than their mean.
    assert (result.score_matrix[:, 0] < 0).all()
    assert result.factor_scores[0] == 0
    assert result.factor_scores[1] < 0.05


def test_constant_latents_add_nothing():
    latents, factors = mixed_data()
    passive = np.full((600, 2), 0.25, np.float32)
    with_passive = disentanglement_score(np.hstack([passive, latents]), factors, MIXED)
    without = disentanglement_score(latents, factors, MIXED)
    np.testing.assert_allclose(with_passive.factor_scores, without.factor_scores)
    all_passive = disentanglement_score(passive, factors, MIXED)
    assert all_passive.score == 0


def test_latents_with_many_ties_still_predict():
    rng = np.random.default_rng(0)
    factor = rng.integers(4, size=2000)
    latents = np.stack([factor, rng.integers(4, size=2000)], axis=1)
    for kind in ("continuous", "categorical"):
        result = disentanglement_score(latents, factor[:, None], [kind])
        assert result.score == 1 <= result.unclipped_score


def test_nearest_neighbors_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    fitted, queries = rng.normal(size=40), 3 * rng.normal(size=200)
    distances = np.abs(fitted - queries[:, None])
    for num in (1, 5, 40):
        found = nearest_neighbors(fitted, queries, num)
        np.testing.assert_array_equal(found, np.argsort(distances, axis=1)[:, :num])


def test_the_same_seed_gives_the_same_score_and_another_seed_another():
    latents, factors = mixed_data()
    scores = [disentanglement_score(latents, factors, MIXED, s).unclipped_score for s in (3, 3, 4)]
    assert scores[0] == scores[1] != scores[2]


def categorical(latents, classes):
    return disentanglement_score(latents, np.array(classes)[:, None], ["categorical"])


def test_the_headroom_score_counts_what_a_perfect_predictor_has_above_the_constant():
    """A latent that knows class // 2 of ten classes: accuracy 0.5, the constant's about 0.1."""
    classes = np.random.default_rng(0).permutation(np.arange(20_000) % 10)
    half = categorical(np.column_stack([classes // 2, np.zeros(20_000)]), classes)
    assert half.score == 1
    assert half.headroom_score == pytest.approx(0.4 / 0.9, abs=0.03)
    whole = categorical(np.column_stack([classes, np.zeros(20_000)]), classes)
    assert whole.score == whole.headroom_score == 1 < whole.unclipped_score
    lopsided = np.minimum(classes, 1)
    known = categorical(np.column_stack([lopsided, np.zeros(20_000)]), lopsided)
    assert known.headroom_score == 1
    assert known.score == pytest.approx(0.1 / 0.9, abs=0.03)


LARGE = [[20261130000000001 + i % 8] for i in range(160)]


@pytest.mark.parametrize(
    "factors",
    [
        LARGE,
        np.array(LARGE, np.uint64),
        np.array(LARGE, object),
        -np.array(LARGE),
        [[label, 0.5] for (label,) in LARGE[:80]] + [[label, 1.5] for (label,) in LARGE[80:]],
    ],
)
def test_large_class_labels_stay_apart(factors):
    latents = [[i % 8, 0] for i in range(160)]
    kinds = ["categorical", "continuous"][: len(factors[0])]
    result = disentanglement_score(latents, factors, kinds)
    assert result.score_matrix[0, 0] == 1.0
