# SPDX-License-Identifier: Apache-2.0
"""Each model and each metric of dlib 1.5, on data that need no download."""

import json

import gin
import numpy as np
import pytest
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.evaluation.metrics import dci, mig, sap_score, unified_scores
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.utils import resources
from dlib_support import fresh_gin  # noqa: F401

CONFIGS = "config/tests/evaluation/evaluate_test_configs"


@pytest.mark.parametrize(
    ("name", "bindings"),
    [
        ("vae", ["vae.beta = 4."]),
        ("annealed_vae", ["gamma = 10.", "c_max = 5.", "iteration_threshold = 100"]),
        ("beta_tc_vae", ["beta = 4."]),
        ("dip_vae", ["lambda_od = 1.", "lambda_d_factor = 1.", "dip_type = 'i'"]),
        (
            "factor_vae",
            [
                *("gamma = 10.", "discriminator.discriminator_fn = @fc_discriminator"),
                "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
            ],
        ),
    ],
)
def test_each_model_of_dlib_is_trained_and_exported(tmp_path, name, bindings):
    own = [line if "." in line.split("=")[0] else f"{name}.{line}" for line in bindings]
    own += [f"model.model = @{name}()", "model.training_steps = 3", "model.eval_steps = 1"]
    own += ["synth_linear.num_points = 200", "training_loop.xla = 'off'"]
    train.train_with_gin(str(tmp_path / "model"), False, ["beta_vae.gin"], own)
    result = json.loads((tmp_path / "model/results/json/train_results.json").read_text())
    assert np.isfinite(result["loss"]) and result["global_step"] >= 3
    assert (tmp_path / "model/tfhub").is_dir()


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
        ("beta_vae", "eval_accuracy"),
        ("dci", "completeness"),
        ("downstream_task_boosted_trees", "100:mean_test_accuracy"),
        pytest.param(
            *("downstream_task_logistic_regression", "100:mean_test_accuracy"),
            marks=pytest.mark.long,
        ),
        ("factor_vae", "eval_accuracy"),
        ("irs", "IRS"),
        ("mig", "discrete_mig"),
        ("modularity_explicitness", "modularity_score"),
    ],
)
def test_a_metric_of_dlib_is_best_for_the_factors_themselves(name, value):
    assert scored(name)[value] == pytest.approx(1, abs=0.1)


def test_the_sap_score_of_the_factors_is_the_gap_to_chance():
    # Linear, of four classes on a line: a part of the gap of 0.75 between knowing and guessing.
    assert 0.15 < scored("sap_score")["SAP_score"] < 0.75


@pytest.mark.long
def test_the_reduced_task_does_not_know_the_factor_that_was_taken_away():
    scores = scored("reduced_downstream_task")
    removed = [value for key, value in scores.items() if "test_accuracy_reduced" in key]
    others = [value for key, value in scores.items() if "test_accuracy_other" in key]
    assert np.mean(removed) < 0.5 < np.mean(others)


def test_a_predictor_of_the_factors_themselves_is_fair():
    scores = scored("fairness").values()
    assert scores and all(np.isfinite(value) and -1e-9 <= value <= 1 for value in scores)


def test_the_strong_task_predicts_what_it_was_not_shown():
    gin.parse_config("predictor.predictor_fn = @gradient_boosting_classifier")
    np.random.seed(0)  # dlib intervenes by the global generator
    arguments = (ThreeFactors(), encode, np.random.RandomState(0), None, [40], 20)
    scores = gin.get_configurable("strong_downstream_task")(*arguments, n_experiment=1)
    assert scores and all(0 <= value <= 1 for value in scores.values())


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
