# SPDX-License-Identifier: Apache-2.0
"""dlib's BetaVAE and FactorVAE metrics, whose samples the plugin codes together."""

import numpy as np
import pytest
from data_of_dlib_support import files, root  # noqa: F401  fixtures
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.evaluation.metrics import beta_vae, factor_vae

from vae_ortho_plugin.dlib import metric_samples

POINTS, SAMPLES = 8, 40
WEIGHTS = np.random.RandomState(5).standard_normal(64 * 64 * 3)


class Representation:
    """Two latents of any images; `coded` counts the images so far."""

    def __init__(self, noise=0.0):
        self.coded, self._scale = 0, noise
        self._noise = np.random.RandomState(0)

    def __call__(self, images):
        self.coded += len(images)
        flat = images.reshape(len(images), -1).astype(np.float64)
        codes = np.stack([flat @ WEIGHTS[: flat.shape[1]], flat.sum(axis=1)], axis=1)
        return codes + self._scale * self._noise.standard_normal(codes.shape)


@pytest.fixture(params=["cars3d", "noisy_dsprites"])  # which stores its images, and draws them
def data(request, root, monkeypatch):
    monkeypatch.setattr(metric_samples, "_DRAWN", 7)
    monkeypatch.setattr(metric_samples, "_POINTS", 21)
    return named_data.get_named_ground_truth_data(request.param)


def test_samples_of_the_beta_vae_metric_are_those_of_dlib(data):
    ours, dlibs = np.random.RandomState(1), np.random.RandomState(1)
    points, labels = beta_vae._generate_training_batch(
        data, Representation(), POINTS, SAMPLES, ours
    )
    expected = [
        beta_vae._generate_training_sample(data, Representation(), POINTS, dlibs)
        for _ in range(SAMPLES)
    ]
    np.testing.assert_array_equal(labels, [label for label, _ in expected])
    np.testing.assert_allclose(points, [point for _, point in expected], rtol=1e-9)
    assert ours.randint(10**9) == dlibs.randint(10**9)


def test_votes_of_the_factor_vae_metric_are_those_of_dlib(data):
    ours, dlibs = np.random.RandomState(1), np.random.RandomState(1)
    variances, active = np.array([2.0, 3.0]), np.array([True, True])
    votes = factor_vae._generate_training_batch(
        data, Representation(), POINTS, SAMPLES, ours, variances, active
    )
    expected = np.zeros_like(votes)
    arguments = (data, Representation(), POINTS, dlibs, variances, active)
    for _ in range(SAMPLES):
        expected[factor_vae._generate_training_sample(*arguments)] += 1
    np.testing.assert_array_equal(votes, expected)
    assert ours.randint(10**9) == dlibs.randint(10**9)


def test_an_image_of_a_data_set_is_coded_once_for_training_and_test_samples(root):
    data = named_data.get_named_ground_truth_data("cars3d")
    representation = Representation()
    score = beta_vae.compute_beta_vae_sklearn(
        data, representation, np.random.RandomState(0), None, 16, 200, 100
    )
    assert score["eval_accuracy"] > 1 / data.num_factors
    checked = 2 * min(64, len(data.images))
    assert representation.coded - checked <= len(data.images) < 300 * 2 * 16


def test_a_representation_that_draws_is_asked_for_every_point(root):
    data = named_data.get_named_ground_truth_data("cars3d")
    representation = Representation(noise=0.1)
    beta_vae._generate_training_batch(data, representation, 16, 50, np.random.RandomState(0))
    checked = 2 * min(64, len(data.images))
    assert representation.coded - checked == 50 * 2 * 16


def test_inactive_latents_get_no_vote_but_by_their_place_among_the_active_ones():
    data = named_data.get_named_ground_truth_data("synth_linear")
    votes = factor_vae._generate_training_batch(
        *(data, Representation(), POINTS, SAMPLES, np.random.RandomState(0)),
        *(np.array([2.0, 3.0]), np.array([False, True])),
    )
    # dlib counts the argmin among the active latents, and so do we.
    assert votes[:, 0].sum() == SAMPLES
