# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_evaluate: the values of metrics on bare arrays."""

import json
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gin
import numpy as np
import pytest
from array_support import SHORT, SIZES, files, grid  # noqa: F401
from disentanglement_lib.data.ground_truth import ground_truth_data
from disentanglement_lib.evaluation.metrics import mig, sap_score

from vae_ortho_plugin import disentanglement_score, infomec, mcc
from vae_ortho_plugin.arrays import command, reading
from vae_ortho_plugin.arrays.point_table import PointTable
from vae_ortho_plugin.data.sampling.factor_table import factor_table

ALL_OF_DLIB = [
    "beta_vae",
    "dci",
    "downstream_task",
    "factor_vae",
    "fairness",
    "irs",
    "mig",
    "modularity",
    "reduced_downstream_task",
    "sap",
    "strong_downstream_task",
    "unified_scores",
    "unsupervised",
]


class GridData(ground_truth_data.GroundTruthData):
    """The grid as a data set of dlib as one would write it, which renders factors as themselves."""

    num_factors, factors_num_values, observation_shape = len(SIZES), list(SIZES), [3, 1, 1]

    def sample_factors(self, num, random_state):
        columns = [random_state.randint(size, size=num) for size in SIZES]
        return np.stack(columns, axis=1)

    def sample_observations_from_factors(self, factors, random_state):
        return factors


def mixed_latents(factors, seed=0):
    """Latents that each see two factors, and a continuous function of them."""
    weights = np.array([[1.0, 0.4, 0.0], [0.2, 1.0, 0.3], [0.1, 0.0, 1.0]])
    return np.tanh(factors @ weights / 2)


def test_a_perfect_representation_has_the_best_values(files):
    factors = grid()
    files.save(z=factors.astype(float), w=factors)
    metrics = files.metrics(
        "--metrics", "mig", "dci", "sap", "modularity", "disentanglement_score", "beta_vae",
        "factor_vae", "--gin-bindings", *SHORT,
    )  # fmt: skip
    assert metrics["mig"]["discrete_mig"] == pytest.approx(1, abs=1e-9)
    assert metrics["dci"]["disentanglement"] == pytest.approx(1, abs=1e-6)
    assert metrics["dci"]["completeness"] == pytest.approx(1, abs=1e-6)
    assert metrics["dci"]["informativeness_test"] == 1
    assert metrics["modularity_explicitness"]["modularity_score"] == pytest.approx(1, abs=1e-4)
    # By chance, another latent predicts a factor a little better than the constant.
    assert metrics["disentanglement_score"]["headroom_score"] > 0.9
    assert metrics["beta_vae_sklearn"]["eval_accuracy"] == 1
    assert metrics["factor_vae_score"]["eval_accuracy"] == 1


def test_the_order_of_latents_and_of_points_changes_nothing(files):
    factors = grid()
    rows = np.random.default_rng(1).permutation(len(factors))
    latents = mixed_latents(factors)
    files.save(z=latents, w=factors, z2=latents[rows][:, [2, 0, 1]], w2=factors[rows])
    first = files.metrics("--metrics", "mig")
    second = files.metrics("--metrics", "mig", latents="z2", factors="w2")
    assert 0 < first["mig"]["discrete_mig"] < 1
    assert second["mig"]["discrete_mig"] == pytest.approx(first["mig"]["discrete_mig"], abs=1e-12)


def test_noise_has_values_near_zero(files):
    factors = grid(100)
    files.save(z=np.random.default_rng(0).normal(size=(len(factors), 4)), w=factors)
    metrics = files.metrics("--metrics", "mig", "dci", "disentanglement_score")
    assert abs(metrics["mig"]["discrete_mig"]) < 0.02
    assert metrics["dci"]["disentanglement"] < 0.1
    assert metrics["disentanglement_score"]["disentanglement_score"] < 0.1


def test_mig_is_that_of_dlib_on_the_same_data_set(files):
    factors = grid()
    files.save(z=mixed_latents(factors), w=factors)
    ours = files.metrics("--metrics", "mig")["mig"]["discrete_mig"]
    with gin.unlock_config():
        gin.parse_config(
            "discretizer.discretizer_fn = @histogram_discretizer\ndiscretizer.num_bins = 20"
        )
    theirs = mig.compute_mig(
        GridData(), mixed_latents, np.random.RandomState(0), num_train=30_000, batch_size=3_000
    )["discrete_mig"]
    gin.clear_config()
    # dlib draws points with replacement: a sample's error.
    assert ours == pytest.approx(theirs, abs=0.01)


def test_sap_of_continuous_factors_is_that_of_dlib_on_the_numbers_themselves(files):
    factors = np.random.default_rng(0).uniform(size=(3000, 3))
    latents = mixed_latents(factors)
    files.save(z=latents, w=factors)
    ours = files.metrics(
        "--metrics", "sap", "--gin-bindings", "sap_score.continuous_factors = True",
    )["sap_score"]["SAP_score"]  # fmt: skip
    matrix = sap_score.compute_score_matrix(latents.T, factors.T, None, None, True)
    assert ours == pytest.approx(sap_score.compute_avg_diff_top_two(matrix), abs=0.02)


def test_the_disentanglement_score_is_that_of_the_function_on_the_same_points(files):
    factors = np.random.default_rng(0).uniform(size=(2000, 3))
    latents = mixed_latents(factors)
    files.save(z=latents, w=factors)
    ours = files.metrics("--metrics", "disentanglement_score")["disentanglement_score"]
    theirs = disentanglement_score(latents, factors, ["continuous"] * 3)
    # The points are in another order, and so is the random 20 %.
    assert ours["disentanglement_score"] == pytest.approx(theirs.score, abs=0.03)
    assert ours["num_points"] == 2000


def test_mcc_and_infomec_are_those_of_the_functions_on_the_same_points(files):
    factors = grid()
    latents = mixed_latents(factors)
    files.save(z=latents, w=factors)
    kinds = ["categorical", *["continuous"] * (factors.shape[1] - 1)]
    ours = files.metrics("--metrics", "mcc", "infomec", "--factor-kinds", *kinds)
    # The points are in another order.
    assert ours["mcc"]["mcc"] == pytest.approx(mcc(latents, factors[:, 1:]).mean, rel=1e-9)
    explicit = infomec(latents, factors, kinds).infoe
    assert ours["infomec"]["infoe"] == pytest.approx(explicit, rel=1e-3)
    assert 0 < ours["infomec"]["infom"] < 1


def test_continuous_factors_are_binned_and_the_result_says_how(files):
    rng = np.random.default_rng(0)
    scale, angle = rng.choice([0.5, 1.0], size=500), np.linspace(0, 2, 500)
    names = rng.integers(30, size=500)
    files.save(z=rng.normal(size=(500, 3)), w=np.column_stack([scale, angle, names]))
    _, result, _ = files.run(
        "--metrics", "mig", "--factor-kinds", "continuous,continuous,categorical",
        "--factor-names", "scale", "angle", "object",
    )  # fmt: skip
    assert result["factors"] == [
        {
            "name": "scale",
            "kind": "continuous",
            "in_dlibs_metrics": "2 classes, one for each value",
        },
        {
            "name": "angle",
            "kind": "continuous",
            "in_dlibs_metrics": "20 steps of equal width from 0 to 2",
        },
        {
            "name": "object",
            "kind": "categorical",
            "in_dlibs_metrics": "30 classes, one for each value",
        },
    ]
    assert result["settings"]["mig.num_train"] == 500
    assert result["settings"]["discretizer.num_bins"] == 20


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_large_class_labels_stay_apart(tmp_path, dtype):
    labels = (20261130000000001 + np.arange(40) % 8).astype(dtype)
    np.save(tmp_path / "w.npy", labels)
    table = PointTable(factor_table(reading.array(str(tmp_path / "w.npy"), "factors"), 40), 40)
    values, points = table.sample_unbinned(40, np.random.RandomState(0))
    np.testing.assert_array_equal(values[:, 0], points % 8)


def test_factors_may_be_strings(files):
    factors = grid()
    words = np.array(["heart", "circle", "square", "star"])[factors[:, :1]]
    files.save(z=factors.astype(float), w=words)
    metrics = files.metrics("--metrics", "mig", "disentanglement_score")
    assert metrics["mig"]["discrete_mig"] == pytest.approx(1, abs=1e-9)
    assert metrics["disentanglement_score"]["disentanglement_score"] == 1


@pytest.mark.long
def test_every_metric_of_dlib_works_on_a_table_with_all_combinations(files):
    factors = grid(10)
    files.save(z=mixed_latents(factors), w=factors)
    short = [
        *SHORT,
        "fairness.num_test_points_per_class = 20",
        "strong_downstream_task.n_experiment = 1",
    ]
    status, result, errors = files.run("--metrics", *ALL_OF_DLIB, "--gin-bindings", *short)
    assert status == 0, errors
    assert len(result["metrics"]) == len(ALL_OF_DLIB)
    for name, values in result["metrics"].items():
        assert values, name
        assert all(math.isfinite(value) for value in values.values()), name
    assert result["points_of"]["fairness"] == "points of each combination of classes"


def test_metrics_that_keep_a_factor_match_points_where_combinations_are_missing(files):
    # 20 steps of three factors are 8,000 combinations.
    factors = np.random.default_rng(0).uniform(size=(1000, 3))
    files.save(z=factors, w=factors, noise=np.random.default_rng(1).normal(size=(1000, 3)))
    words = ["--metrics", "beta_vae", "factor_vae", "--gin-bindings", *SHORT]
    status, result, _ = files.run(*words)
    assert "as in the table" in result["points_of"]["beta_vae_sklearn"]
    assert status == 0
    assert result["metrics"]["beta_vae_sklearn"]["eval_accuracy"] > 0.95
    assert result["metrics"]["factor_vae_score"]["eval_accuracy"] > 0.95
    noise = files.metrics(*words, latents="noise")
    assert noise["beta_vae_sklearn"]["eval_accuracy"] < 0.5
    assert noise["factor_vae_score"]["eval_accuracy"] < 0.5


def test_unsupervised_metrics_need_no_factors(files):
    files.save(z=np.random.default_rng(0).normal(size=(1000, 3)))
    values = files.metrics("--metrics", "unsupervised", factors=None)["unsupervised_metrics"]
    assert 0 <= values["gaussian_total_correlation"] < 0.01


def test_training_and_test_points_of_a_metric_differ(files):
    # Each point is a class of its own: a predictor of unseen points is wrong at all of them.
    files.save(z=np.random.default_rng(0).normal(size=(60, 2)), w=np.arange(60))
    values = files.metrics(
        "--metrics", "downstream_task", "--gin-bindings",
        "predictor.predictor_fn = @gradient_boosting_classifier",
        "downstream_task.num_train = [20, 40]", "downstream_task.num_test = 20",
    )["downstream_task"]  # fmt: skip
    assert values["40:mean_train_accuracy"] == 1
    assert values["20:mean_test_accuracy"] == values["40:mean_test_accuracy"] == 0


@pytest.mark.long
def test_the_same_command_gives_the_same_numbers(files):
    factors = grid(5)
    latents = mixed_latents(factors) + 0.3 * np.random.default_rng(0).normal(size=factors.shape)
    files.save(z=latents, w=factors)
    words = ["--metrics", "dci", "strong_downstream_task", "--seed"]
    short = ["--gin-bindings", "strong_downstream_task.n_experiment = 1"]
    assert files.metrics(*words, "1", *short) == files.metrics(*words, "1", *short)
    assert files.metrics(*words, "1", *short) != files.metrics(*words, "2", *short)


def test_a_value_that_is_not_finite_is_null_and_said(files):
    # The logarithm of a constant latent's variance.
    latents = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1, 0]
    files.save(z=latents)
    status, result, errors = files.run("--metrics", "unsupervised", factors=None)
    assert status == 0
    assert result["metrics"]["unsupervised_metrics"]["gaussian_total_correlation"] is None
    assert "gaussian_total_correlation is nan and is saved as null" in errors


def test_a_metric_that_fails_leaves_the_others_their_results(files):
    # A class of one point cannot be among the training and the test points. scikit-learn would score the
    # columns of other classes.
    factors = grid()
    factors[0, 0] = 9
    files.save(z=factors.astype(float), w=factors)
    status, result, errors = files.run("--metrics", "modularity", "mig")
    assert status == 1
    assert result["metrics"]["mig"]["discrete_mig"] > 0.9
    message = result["errors"]["modularity_explicitness"]
    assert "1 of the 5 classes of 'factor 0'" in message
    assert "vae_ortho_evaluate: modularity_explicitness: " in errors and "Traceback" not in errors


def test_an_error_inside_a_metric_is_one_message(files):
    # The two training points have the class 0, which a classifier refuses.
    factors = np.zeros((20, 2), int)
    factors[0] = 1
    files.save(z=np.random.default_rng(0).normal(size=(20, 2)), w=factors)
    words = ["--metrics", "sap", "--gin-bindings", "sap_score.num_train = 2"]
    status, result, errors = files.run(*words)
    assert status == 1
    assert result["errors"]["sap_score"].startswith("ValueError: ")
    assert "take more points" in errors and "Traceback" not in errors


def test_the_command_writes_a_file_from_npz_files(tmp_path):
    factors = grid()
    np.savez(tmp_path / "all.npz", latents=factors.astype(float), factors=factors, other=[1])
    output = tmp_path / "new" / "result.json"
    done = subprocess.run(
        [
            sys.executable, "-c",
            "import sys; from vae_ortho_plugin.dlib.console_scripts import evaluate; sys.exit(evaluate())",
            "--latents", "all.npz", "--factors", "all.npz", "--metrics", "mig", "--output", output,
        ],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    result = json.loads(output.read_text())
    assert result["metrics"]["mig"]["discrete_mig"] == pytest.approx(1, abs=1e-9)
    assert result["points"] == len(factors)


def test_the_example_of_the_docs_gives_what_the_page_says(tmp_path, monkeypatch):
    page = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text()
    section = page.partition("## Latents from elsewhere")[2]
    program, shell = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", program], check=True)
    script, *words = shlex.split(shell.replace("\\\n", ""))
    assert script == "vae_ortho_evaluate"
    assert command.main(words) == 0
    metrics = json.loads(Path("result.json").read_text())["metrics"]
    assert metrics["mig"]["discrete_mig"] > 0.9
    assert metrics["dci"]["disentanglement"] > 0.9
    assert metrics["disentanglement_score"]["disentanglement_score"] > 0.9


def test_the_help_names_every_metric(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    for name in (*ALL_OF_DLIB, "dto", "ima_contrast", "precision_gap", "disentanglement_score"):
        assert name in text
