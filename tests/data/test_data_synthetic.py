# SPDX-License-Identifier: Apache-2.0
"""The synthetic data sets, and what dlib draws and computes of them."""

import hashlib

import gin
import numpy as np
import pytest
from disentanglement_lib.evaluation.metrics import beta_vae, fairness, irs, mig
from disentanglement_lib.visualize import visualize_util
from sklearn.neighbors import KNeighborsClassifier

from vae_ortho_plugin.data import synthetic
from vae_ortho_plugin.data.sampling.split_data import SPLITS
from vae_ortho_plugin.data.synthetic import NUM_STEPS, SynthLinear, SynthNonlinear
from vae_ortho_plugin.errors import InputError

DATA = [SynthLinear, SynthNonlinear]


def random_state():
    return np.random.RandomState(0)


def test_the_factor_angle_turns_the_square_before_it_is_stretched():
    along, across = synthetic.linear_matrix().T
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    np.testing.assert_allclose(
        synthetic.linear_matrix(factor_angle=30),
        np.column_stack([cosine * along + sine * across, cosine * across - sine * along]),
        atol=1e-12,
    )
    factors = SynthLinear(num_points=10, factor_angle=30).split("train")[1]
    np.testing.assert_array_equal(factors, SynthLinear(num_points=10).split("train")[1])


def test_linear_rotation_is_by_45_degrees_about_the_given_axis_after_stretching():
    matrix = synthetic.linear_matrix(1.5)
    np.testing.assert_allclose(matrix.T @ matrix, np.diag([1.5**2, 1]), atol=1e-12)
    matrix = synthetic.linear_matrix(1.0)
    rotation = np.column_stack([matrix, np.cross(matrix[:, 0], matrix[:, 1])])
    np.testing.assert_allclose(rotation @ [1, -1, 1], [1, -1, 1], atol=1e-12)
    across = np.array([1.0, 1.0, 0.0])
    turned = rotation @ across
    assert turned @ across / 2 == pytest.approx(np.cos(np.pi / 4))
    assert np.cross(across, turned) @ [1, -1, 1] > 0


def test_nonlinear_map_is_two_layers_of_which_the_last_may_be_linear():
    (kernel1, bias1), (kernel2, bias2) = layers = synthetic.random_layers(3)
    assert (kernel1.shape, bias1.shape) == ((2, 10), (10,))
    assert (kernel2.shape, bias2.shape) == ((10, 6), (6,))
    points = np.array([[0.3, 0.8]])
    linear = np.tanh(points @ kernel1 + bias1) @ kernel2 + bias2
    np.testing.assert_allclose(synthetic.mlp_map(points, layers), np.tanh(linear))
    np.testing.assert_allclose(synthetic.mlp_map(points, layers, "hidden"), linear)
    data = SynthNonlinear(num_points=10, weight_seed=3, tanh="hidden")
    np.testing.assert_allclose(data.observations_of(points), linear)


@pytest.mark.parametrize(
    "law, least, greatest", [("uniform", 0, 1), ("fan_in", -(10**-0.5), 10**-0.5)]
)
def test_uniform_weights_of_the_nonlinear_map_keep_to_their_bounds(law, least, greatest):
    layers = synthetic.random_layers(0, (10, 1000), law)
    for values in layers[0]:
        assert least <= values.min() < least + 0.01 and greatest - 0.01 < values.max() <= greatest
    points, layers = np.array([[0.3, 0.8]]), synthetic.random_layers(0, law=law)
    found = SynthNonlinear(10, weight_seed=0, weight_law=law).observations_of(points)
    np.testing.assert_array_equal(found, synthetic.mlp_map(points, layers))


@pytest.mark.parametrize("make", DATA)
def test_splits_are_80_10_10_percent_of_all_points_and_of_their_observations(make):
    data = make(num_points=1005)
    splits = [data.split(name) for name in SPLITS]
    assert [len(factors) for _, factors in splits] == [804, 100, 101]
    points = np.concatenate([factors for _, factors in splits])
    assert len(np.unique(points, axis=0)) == 1005
    expected = np.random.RandomState(0).random_sample((1005, 2))
    np.testing.assert_array_equal(np.sort(points, axis=0), np.sort(expected, axis=0))

    for observations, factors in splits:
        assert observations.dtype == np.float32 and factors.dtype == np.float64
        assert list(observations.shape[1:]) == data.observation_shape
        mapped = data.observations_of(factors)
        np.testing.assert_allclose(observations[:, :, 0, 0], mapped, rtol=1e-6)
        again = data.sample_observations_from_factors(factors, None)
        np.testing.assert_array_equal(observations, again)
    with pytest.raises(InputError, match="'dev'.*train, validation, test"):
        data.split("dev")


def test_the_same_seed_gives_the_same_numbers_everywhere():
    observations, factors = SynthLinear(num_points=10).split("test")
    assert observations.shape == (1, 3, 1, 1)
    np.testing.assert_allclose(factors, [[0.77815675, 0.87001215]], rtol=1e-7)
    np.testing.assert_allclose(
        observations[0, :, 0, 0], [0.81230319, 1.18354952, 1.05754769], rtol=1e-6
    )
    everything = b"".join(part.tobytes() for name in SPLITS for part in SynthLinear().split(name))
    assert hashlib.sha256(everything).hexdigest()[:16] == "41c996028247daa3"
    assert not np.array_equal(SynthLinear(seed=1).split("test")[1], SynthLinear().split("test")[1])
    observations, _ = SynthNonlinear(num_points=10, weight_seed=1).split("test")
    np.testing.assert_allclose(
        observations[0, :, 0, 0],
        [0.99082565, -0.53265691, -0.8382349, 0.40086409, -0.27447405, 0.95983547],
        rtol=1e-6,
    )


def test_the_default_nonlinear_map_keeps_both_directions():
    data, step = SynthNonlinear(), 1e-6
    points = data.split("test")[1]
    jacobians = [
        (data.observations_of(points + shift) - data.observations_of(points - shift)) / (2 * step)
        for shift in step * np.eye(2)
    ]
    singular_values = np.linalg.svd(np.stack(jacobians, axis=-1), compute_uv=False)
    np.testing.assert_allclose(np.median(singular_values, axis=0), [1.83, 0.65], atol=0.05)


@pytest.mark.parametrize("make", DATA)
def test_dlib_draws_training_points_and_sees_their_grid_steps(make):
    data = make(num_points=100)
    factors, observations = data.sample(500, random_state())
    train_observations, train_factors = data.split("train")
    distances = np.abs(observations[:, np.newaxis] - train_observations[np.newaxis])
    nearest = distances.sum(axis=(2, 3, 4)).argmin(axis=1)
    np.testing.assert_array_equal(observations, train_observations[nearest])
    np.testing.assert_array_equal(factors, np.floor(train_factors[nearest] * NUM_STEPS))
    assert len(np.unique(nearest)) == 80
    assert data.factors_num_values == [NUM_STEPS] * 2
    np.testing.assert_array_equal(factors, data.sample_factors(500, random_state()))
    np.testing.assert_array_equal(observations, data.sample_observations(500, random_state()))


def test_a_grid_step_stands_for_the_points_of_its_cell():
    data = SynthLinear(num_points=10)
    steps = np.tile([[3, 19]], (2000, 1))
    observations = data.sample_observations_from_factors(steps, random_state())
    cell = inverse_map(observations) * NUM_STEPS - [3, 19]
    assert cell.min() > -1e-4 and cell.max() < 1 + 1e-4
    np.testing.assert_allclose(cell.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(cell.std(axis=0), np.sqrt(1 / 12), atol=0.02)


@pytest.mark.parametrize("factors", [[[0.5, 1.01]], [[-0.1, 0.5]], [[0, 20]], [[-1, 0]]])
def test_factors_out_of_range_are_refused(factors):
    with pytest.raises(InputError, match="must lie between 0 and"):
        SynthLinear(num_points=10).sample_observations_from_factors(
            np.array(factors), random_state()
        )


@pytest.mark.parametrize(
    "make, arguments, message",
    [
        (SynthLinear, {"num_points": 9}, "whole number"),
        (SynthNonlinear, {"seed": "a"}, "whole number"),
        (SynthNonlinear, {"weight_seed": -1}, "whole number"),
        (SynthNonlinear, {"weight_law": "cauchy"}, "normal, uniform, fan_in"),
        (SynthNonlinear, {"tanh": "none"}, "all, hidden"),
        (SynthLinear, {"axis_ratio": 0}, "above 0"),
        (SynthLinear, {"axis_ratio": float("inf")}, "above 0"),
        (SynthLinear, {"factor_angle": 180}, "between -180 and 180"),
        (SynthNonlinear, {"correlation": float("nan")}, "between -1 and 1"),
        (SynthLinear, {"held_out": 1e-9}, "leaves 0 of 50,000 points"),
    ],
)
def test_bad_arguments_are_named(make, arguments, message):
    (name,) = arguments
    with pytest.raises(InputError, match=f"{name} = .* {message}"):
        make(**arguments)


@gin.configurable
def nearest_neighbors():
    return KNeighborsClassifier()


@pytest.fixture
def settings():
    gin.parse_config(
        "discretizer.num_bins = 20\n"
        "discretizer.discretizer_fn = @histogram_discretizer\n"
        "predictor.predictor_fn = @nearest_neighbors\n"
    )


def inverse_map(observations):
    return observations[:, :, 0, 0] @ np.linalg.pinv(synthetic.linear_matrix()).T


def turned(observations):
    return inverse_map(observations) @ (np.array([[1, -1], [1, 1]]) / np.sqrt(2))


def test_dlib_metrics_prefer_the_true_factors_to_turned_ones(settings):
    for score in (
        lambda *a: mig.compute_mig(*a, num_train=3000)["discrete_mig"],
        lambda *a: irs.compute_irs(*a, num_train=3000, batch_size=64)["IRS"],
    ):
        assert score(SynthLinear(), inverse_map, np.random.RandomState(0)) > 0.9
        assert score(SynthLinear(), turned, np.random.RandomState(0)) < 0.75


def test_dlib_metrics_that_set_a_factor_stay_on_the_grid(settings):
    data, random_state = SynthLinear(), np.random.RandomState(0)
    scores = beta_vae.compute_beta_vae_sklearn(
        data, inverse_map, random_state, batch_size=64, num_train=200, num_eval=100
    )
    assert scores["eval_accuracy"] > 0.8
    scores = fairness.compute_fairness(
        data, inverse_map, random_state, num_train=5000, num_test_points_per_class=20
    )
    assert 0 <= scores["mean_fairness:mean_pred:mean_sens"] < 0.4
    for start in range(NUM_STEPS):
        cycle = visualize_util.cycle_factor(start, NUM_STEPS, 50)
        assert set(cycle) <= set(range(NUM_STEPS))
