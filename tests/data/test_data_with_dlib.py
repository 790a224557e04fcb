# SPDX-License-Identifier: Apache-2.0
import gin
import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import dsprites, dummy_data, util
from disentanglement_lib.evaluation.metrics import (
    beta_vae,
    dci,
    downstream_task,
    factor_vae,
    fairness,
    irs,
    mig,
    modularity_explicitness,
    sap_score,
    strong_downstream_task,
)
from disentanglement_lib.visualize import visualize_irs, visualize_util
from sklearn.neighbors import KNeighborsClassifier

from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.data.synthetic import NUM_STEPS, SynthLinear, linear_matrix

SIZES = [1, 3, 2, 4, 2, 2]


@gin.configurable
def nearest_neighbors():
    return KNeighborsClassifier()


@pytest.fixture(autouse=True)
def discretizer():
    gin.parse_config(
        "discretizer.num_bins = 20\n"
        "discretizer.discretizer_fn = @histogram_discretizer\n"
        "predictor.predictor_fn = @nearest_neighbors\n"
    )
    yield
    gin.clear_config()


@pytest.fixture
def small_dsprites(tmp_path, monkeypatch):
    """dlib's DSprites over 96 images; the first pixels of image i spell i in base 10."""
    numbers = np.arange(np.prod(SIZES))
    images = np.zeros((len(numbers), 64, 64), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = numbers // 10, numbers % 10
    path = tmp_path / "dsprites.npz"
    metadata = np.array({"latents_sizes": np.array(SIZES)}, dtype=object)
    classes = np.stack(np.unravel_index(numbers, SIZES), axis=1)
    np.savez(path, imgs=images, latents_classes=classes, metadata=metadata)
    monkeypatch.setattr(dsprites, "DSPRITES_PATH", str(path))


def inverse_map(observations):
    return observations[:, :, 0, 0] @ np.linalg.pinv(linear_matrix()).T


def turned(observations):
    return inverse_map(observations) @ (np.array([[1, -1], [1, 1]]) / np.sqrt(2))


SCORES = {
    "mig": lambda *a: mig.compute_mig(*a, num_train=3000)["discrete_mig"],
    "dci": lambda *a: dci.compute_dci(*a, num_train=200, num_test=100)["disentanglement"],
    "sap": lambda *a: sap_score.compute_sap(
        *a, num_train=1000, num_test=100, continuous_factors=True
    )["SAP_score"],
    "irs": lambda *a: irs.compute_irs(*a, num_train=3000, batch_size=64)["IRS"],
    "modularity": lambda *a: modularity_explicitness.compute_modularity_explicitness(
        *a, num_train=2000, num_test=1000
    )["modularity_score"],
}


@pytest.mark.parametrize("metric", SCORES)
def test_dlib_metrics_prefer_the_true_factors_to_turned_ones(metric):
    def score(representation):
        return SCORES[metric](SynthLinear(), representation, np.random.RandomState(0))

    assert score(inverse_map) > 0.9
    assert score(turned) < 0.75


@pytest.mark.parametrize(
    "compute, arguments, score",
    [
        (
            factor_vae.compute_factor_vae,
            {"batch_size": 64, "num_train": 200, "num_eval": 100, "num_variance_estimate": 500},
            "eval_accuracy",
        ),
        (
            beta_vae.compute_beta_vae_sklearn,
            {"batch_size": 64, "num_train": 200, "num_eval": 100},
            "eval_accuracy",
        ),
        (
            downstream_task.compute_downstream_task,
            {"num_train": [5000], "num_test": 500},
            "5000:mean_test_accuracy",
        ),
    ],
)
def test_dlib_classifiers_recognise_the_true_factors(compute, arguments, score):
    result = compute(SynthLinear(), inverse_map, np.random.RandomState(0), **arguments)
    assert result[score] > 0.8


def test_dlib_interventions_stay_on_the_grid():
    data, random_state = SynthLinear(), np.random.RandomState(0)
    scores = fairness.compute_fairness(
        data, inverse_map, random_state, num_train=5000, num_test_points_per_class=20
    )
    assert 0 <= scores["mean_fairness:mean_pred:mean_sens"] < 0.4
    scores = strong_downstream_task.compute_strong_downstream_task(
        data, inverse_map, random_state, num_train=[5000], num_test=500, n_experiment=1
    )
    assert scores["5000:mean_test_accuracy"] > 0.7
    for start in range(NUM_STEPS):
        cycle = visualize_util.cycle_factor(start, NUM_STEPS, 50)
        assert set(cycle) <= set(range(NUM_STEPS))


def test_dlib_picture_of_interventions_takes_the_grid_steps(tmp_path):
    factors, observations = SynthLinear().sample(2000, np.random.RandomState(0))
    visualize_irs.vis_all_interventional_effects(factors, inverse_map(observations), str(tmp_path))
    assert (tmp_path / "interventional_effect.png").stat().st_size > 0


def test_dlib_training_data_has_the_declared_shape():
    dataset = util.tf_data_set_from_ground_truth_data(SynthLinear(num_points=10), 0)
    assert dataset.output_shapes.as_list() == [3, 1, 1]


@pytest.mark.parametrize("latent", [[1, 2, 3, 4, 5], [2, 3, 4, 5], [0, 5]])
def test_dlib_draws_every_resident_sprite_equally_often(small_dsprites, latent):
    data = dsprites.DSprites(latent)
    observations, scale = resident_observations(data)
    assert observations.shape == (96, 64, 64, 1) and observations.dtype == np.uint8
    drawn = data.sample_observations(9600, np.random.RandomState(0))
    assert set(np.unique(drawn)) == set(np.unique(observations * scale))
    numbers = (drawn[:, 0, 0, 0] * 10 + drawn[:, 0, 1, 0]).astype(int)
    counts = np.bincount(numbers, minlength=96)
    # Chi-squared with 95 degrees of freedom: mean 95, standard deviation 14.
    assert ((counts - 100) ** 2 / 100).sum() < 95 + 4 * 14
    np.testing.assert_array_equal(observations[numbers[:50]] * scale, drawn[:50])


def test_data_of_a_generator_are_not_resident():
    assert resident_observations(dummy_data.DummyData()) is None
