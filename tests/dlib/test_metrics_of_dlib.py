# SPDX-License-Identifier: Apache-2.0
"""Metrics of dlib 1.5 of which dlib's own tests do not try the values; see docs/dlib.md."""

import gin
import numpy as np
import pytest
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.evaluation.metrics import dci, mig, sap_score, unified_scores
from disentanglement_lib.utils import resources
from dlib_support import fresh_gin  # noqa: F401

CONFIGS = "config/tests/evaluation/evaluate_test_configs"


class ThreeFactors(GroundTruthData):
    """Observations [3, 1, 1] that are the factors."""

    num_factors, factors_num_values, observation_shape = 3, (4, 4, 4), (3, 1, 1)
    factor_names = ("a", "b", "c")

    def sample_factors(self, num, random_state):
        return random_state.randint(4, size=(num, 3))

    def sample_observations_from_factors(self, factors, random_state):
        return factors.reshape(-1, 3, 1, 1).astype(np.float32)


def encode(images):
    return images.reshape(len(images), -1)


def scored(name):
    """The scores of latents that are the factors, by a metric as dlib's tests configure it."""
    gin.parse_config_file(resources.get_file(f"{CONFIGS}/{name}.gin"))
    assert evaluate  # its import registers the metrics
    metric = gin.query_parameter("evaluation.evaluation_fn").scoped_configurable_fn
    return metric(ThreeFactors(), encode, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("downstream_task_boosted_trees", "100:mean_test_accuracy"),
        pytest.param(
            *("downstream_task_logistic_regression", "100:mean_test_accuracy"),
            marks=pytest.mark.long,
        ),
        ("factor_vae", "eval_accuracy"),
    ],
)
def test_a_metric_of_dlib_is_best_for_the_factors_themselves(name, value):
    assert scored(name)[value] == pytest.approx(1, abs=0.1)


@pytest.mark.long
def test_the_reduced_task_does_not_know_the_factor_that_was_taken_away():
    scores = scored("reduced_downstream_task")
    removed = [value for key, value in scores.items() if "test_accuracy_reduced" in key]
    others = [value for key, value in scores.items() if "test_accuracy_other" in key]
    assert np.mean(removed) < 0.5 < np.mean(others)


DISCRETIZER = "discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 20"


def test_scores_of_fixed_data_are_those_of_the_metrics():
    gin.parse_config(DISCRETIZER)
    data = ThreeFactors()
    factors, observations = data.sample(200, np.random.RandomState(0))
    arguments = (observations, factors.T, encode)
    assert mig.compute_mig_on_fixed_data(*arguments)["discrete_mig"] == pytest.approx(1, abs=0.1)
    found = dci.compute_dci_on_fixed_data(*arguments, train_percentage=0.5)
    assert found["disentanglement"] == pytest.approx(1, abs=0.1)
    found = sap_score.compute_sap_on_fixed_data(
        *arguments, continuous_factors=False, train_percentage=0.5
    )
    assert 0.15 < found["SAP_score"] < 0.75
    found = unified_scores.compute_unified_score_on_fixed_data(
        *arguments, train_percentage=0.5, matrix_fns=[unified_scores.mutual_information_matrix]
    )
    assert found["mutual_information_matrix.mig"] == pytest.approx(1, abs=0.1)


def test_unified_scores_have_each_matrix_and_its_pictures(tmp_path):
    gin.parse_config(DISCRETIZER)
    # Accuracies have a floor, that of guessing.
    floors = {"importance_gbt": 0.3, "mutual_information": 0.3, "accuracy_svm": 0.05}
    matrices = [getattr(unified_scores, f"{name}_matrix") for name in floors]
    scores = unified_scores.compute_unified_scores(
        ThreeFactors(), encode, np.random.RandomState(0), str(tmp_path), 200, 100, matrices
    )
    for name, floor in floors.items():
        assert scores[f"{name}_matrix.dci_completeness"] > floor
        assert list(tmp_path.glob(f"*{name}_matrix*"))


def test_factorwise_dci_and_the_reduced_representation_are_there():
    rng = np.random.RandomState(0)
    factors = rng.randint(4, size=(3, 200))
    halves = (factors[:, :100], factors[:, :100], factors[:, 100:], factors[:, 100:])
    matrix = gin.get_configurable("factorwise_dci")(*halves)
    assert matrix.shape == (3, 3) and (matrix.argmax(axis=0) == range(3)).all()
