# SPDX-License-Identifier: Apache-2.0
"""Data of which two factors depend on each other, or of which a corner is missing."""

import gin
import numpy as np
import pytest
from data_of_dlib_support import files, root  # noqa: F401
from disentanglement_lib.data.ground_truth import named_data

from vae_ortho_plugin.data import dsprites
from vae_ortho_plugin.data.correlated import CorrelatedData
from vae_ortho_plugin.data.files.read_files import origin
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.data.sampling.split_data import SPLITS
from vae_ortho_plugin.data.synthetic import SynthLinear, SynthNonlinear, correlated
from vae_ortho_plugin.dlib.steps.data_set import of_finished_step
from vae_ortho_plugin.errors import InputError

PAIR = ("object hue", "azimuth")  # of three values each in the small files of Shapes3D


def shapes(**settings):
    return CorrelatedData("shapes3d", PAIR, **{"num_points": 5000, **settings})


def pairs_of(data, factors):
    return factors[:, [data.factor_names.index(name) for name in PAIR]]


@pytest.mark.parametrize("correlation", [-0.9, 0.5])
def test_a_copula_leaves_the_marginals_uniform(correlation):
    uniform = np.random.RandomState(0).random_sample((20_000, 2))
    factors = correlated(uniform, correlation)
    assert 0 <= factors.min() and factors.max() < 1
    expected = 6 / np.pi * np.arcsin(correlation / 2)
    # 4 standard errors of each
    assert np.corrcoef(factors.T)[0, 1] == pytest.approx(expected, abs=0.03)
    for column in factors.T:
        np.testing.assert_allclose(np.histogram(column, 10, (0, 1))[0] / 20_000, 0.1, atol=0.009)
    np.testing.assert_array_equal(correlated(uniform, 0), uniform)


@pytest.mark.parametrize("make", [SynthLinear, SynthNonlinear])
def test_synthetic_factors_are_correlated_or_lack_a_corner_in_every_split(make):
    data = make(correlation=0.9)
    for name in SPLITS:
        factors = data.split(name)[1]
        assert np.corrcoef(factors.T)[0, 1] == pytest.approx(0.8915, abs=0.015)
    seen = data.sample_factors(5000, np.random.RandomState(0))
    assert np.corrcoef(seen.T)[0, 1] == pytest.approx(0.89, abs=0.02)
    parts = [make(held_out=0.5).split(name)[1] for name in SPLITS]
    everything = np.concatenate([make().split(name)[1] for name in SPLITS])
    left = everything[(everything < 0.5).any(axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts), left)
    assert [len(part) for part in parts] == [len(left) * 8 // 10, len(left) // 10, len(parts[2])]


def test_generated_data_are_the_other_data_set_with_the_copula(root):
    data = shapes(correlation=0.9)
    other = named_data.get_named_ground_truth_data("shapes3d")
    assert data.factors_num_values == other.factors_num_values
    factors, observations = data.sample(3000, np.random.RandomState(0))
    again = other.sample_observations_from_factors(factors, np.random.RandomState(0))
    np.testing.assert_allclose(observations, again, atol=1e-6)
    hue, azimuth = pairs_of(data, factors).T
    shares = np.histogram2d(hue, azimuth, bins=3)[0] / 3000
    # 4 standard errors: the marginals are uniform, and equal classes are frequent.
    np.testing.assert_allclose(shares.sum(axis=0), 1 / 3, atol=0.05)
    np.testing.assert_allclose(shares.sum(axis=1), 1 / 3, atol=0.05)
    assert np.diag(shares).sum() > 0.7
    stored, scale = resident_observations(data)
    assert stored.dtype == np.uint8 and scale == 1 / 255
    np.testing.assert_allclose(stored * np.float32(scale), data.split("train")[0], rtol=1e-6)


def test_no_combination_of_generated_data_is_in_two_splits(root):
    data = shapes(correlation=0.5, held_out=0.6)
    splits = [np.unique(data.split(name)[1], axis=0) for name in SPLITS]
    together = np.concatenate(splits)
    assert len(np.unique(together, axis=0)) == len(together)
    assert not (pairs_of(data, together) == 2).all(axis=1).any()
    # 2 * 2 * 2 * 2 combinations of the others, and 8 of the 9 pairs
    assert [len(part) for part in splits] == [103, 13, 12]


def test_data_with_splits_are_sampled_from_the_points_of_each_split():
    gin.parse_config("synth_linear.num_points = 2000")
    other = named_data.get_named_ground_truth_data("synth_linear")
    same = CorrelatedData("synth_linear", ["w1", "w2"])
    corner = CorrelatedData("synth_linear", ["w1", "w2"], held_out=0.5)
    drawn = CorrelatedData("synth_linear", ["w1", "w2"], correlation=0.9)
    for name in SPLITS:
        observations, factors = other.split(name)
        np.testing.assert_array_equal(same.split(name)[0], observations)
        np.testing.assert_array_equal(corner.split(name)[1], factors[(factors < 0.5).any(axis=1)])
        found_observations, found = drawn.split(name)
        assert np.isin(found, factors).all() and np.corrcoef(found.T)[0, 1] > 0.75
        np.testing.assert_allclose(
            found_observations, other.sample_observations_from_factors(found, None)
        )


def test_gin_makes_the_data_set_by_its_name(root):
    gin.parse_config(
        "correlated.dataset = 'dsprites_full'\ncorrelated.num_points = 100\n"
        "correlated.factors = ['position x', 'position y']\ncorrelated.held_out = 0.5"
    )
    data = named_data.get_named_ground_truth_data("correlated")
    assert isinstance(data, CorrelatedData) and data.observation_shape == [64, 64, 1]
    assert set(np.unique(data.split("train")[0])) == {0.0, 1.0}
    assert origin("correlated") == dsprites.RENDERED


def test_a_later_step_makes_the_other_data_set_as_the_training_did(tmp_path):
    (tmp_path / "results/gin").mkdir(parents=True)
    (tmp_path / "results/gin/train.gin").write_text(
        "dataset.name = 'correlated'\ncorrelated.dataset = 'synth_linear'\n"
        "correlated.factors = ['w1', 'w2']\ncorrelated.held_out = 0.5\n"
        "synth_linear.num_points = 200\nsynth_linear.factor_angle = 45\nsynth_nonlinear.seed = 3\n"
    )
    with of_finished_step(str(tmp_path), "train"):
        data = named_data.get_named_ground_truth_data()
        assert gin.get_bindings("synth_nonlinear") == {}
    observations, factors = data.split("train")
    assert len(factors) < 160 and (factors < 0.5).any(axis=1).all()
    turned = SynthLinear(num_points=200, factor_angle=45)
    np.testing.assert_array_equal(
        observations, turned.sample_observations_from_factors(factors, None)
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"correlation": 1}, "correlation = 1; it must be a number between -1 and 1"),
        ({"held_out": 0.0}, "held_out = 0.0; it must be a number between 0 and 1"),
        ({"factors": ["w1", "w3"]}, "'w3', which the data set lacks. Its factors are w1, w2"),
        ({"factors": ["w1", "w1"]}, "names of two different factors of w1, w2"),
        ({"factors": ["w1", "w2", "w1"]}, "names of two different factors of w1, w2"),
        ({"factors": "w1"}, "names of two different factors of w1, w2"),
        ({"dataset": "correlated"}, "must be the name of another data set"),
        ({"dataset": "cars4d"}, "no data set named 'cars4d'"),
        ({"num_points": 0}, "num_points = 0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    gin.parse_config("synth_linear.num_points = 5000")
    with pytest.raises(InputError, match=message):
        CorrelatedData(**{"dataset": "synth_linear", "factors": ["w1", "w2"], **settings})
