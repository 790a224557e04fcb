# SPDX-License-Identifier: Apache-2.0
"""evaluate and vae_ortho_evaluate: the values of metrics on bare arrays."""

import json
import re
import shlex
from pathlib import Path

import gin
import numpy as np
import pytest
from array_support import SHORT, SIZES, files, grid  # noqa: F401
from disentanglement_lib.data.ground_truth import ground_truth_data
from disentanglement_lib.evaluation.metrics import mig, sap_score

from vae_ortho_plugin import evaluate, infomec, mcc
from vae_ortho_plugin.arrays import command, reading
from vae_ortho_plugin.arrays.names import METRICS, OF_JACOBIANS
from vae_ortho_plugin.arrays.point_table import PointTable
from vae_ortho_plugin.data.sampling.factor_table import factor_table


class GridData(ground_truth_data.GroundTruthData):
    """The grid as a data set of dlib as one would write it, which renders factors as themselves."""

    num_factors, factors_num_values, observation_shape = len(SIZES), list(SIZES), [3, 1, 1]

    def sample_factors(self, num, random_state):
        columns = [random_state.randint(size, size=num) for size in SIZES]
        return np.stack(columns, axis=1)

    def sample_observations_from_factors(self, factors, random_state):
        return factors


def mixed_latents(factors):
    """Latents that each see two factors, and a continuous function of them."""
    weights = np.array([[1.0, 0.4, 0.0], [0.2, 1.0, 0.3], [0.1, 0.0, 1.0]])
    return np.tanh(factors @ weights / 2)


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_a_perfect_representation_has_the_best_values():
    metrics = ["mig", "dci", "sap", "modularity", "disentanglement_score", "beta_vae", "factor_vae"]
    found = evaluate(grid().astype(float), grid(), metrics=metrics, gin_bindings=SHORT)
    assert found["mig"]["discrete_mig"] == pytest.approx(1, abs=1e-9)
    assert found["dci"]["disentanglement"] == pytest.approx(1, abs=1e-6)
    assert found["dci"]["completeness"] == pytest.approx(1, abs=1e-6)
    assert found["dci"]["informativeness_test"] == 1
    assert found["modularity"]["modularity_score"] == pytest.approx(1, abs=1e-4)
    # By chance, another latent predicts a factor a little better than the constant.
    assert found["disentanglement_score"]["headroom_score"] > 0.9
    assert found["beta_vae"]["eval_accuracy"] == found["factor_vae"]["eval_accuracy"] == 1


def test_noise_has_values_near_zero():
    found = evaluate(noise(2400, 4), grid(100), metrics=["mig", "disentanglement_score"])
    assert abs(found["mig"]["discrete_mig"]) < 0.02
    assert found["disentanglement_score"]["disentanglement_score"] < 0.1


def test_mig_is_that_of_dlib_on_the_same_data_set_whatever_the_order_of_latents_and_points():
    factors = grid()
    latents, rows = mixed_latents(factors), np.random.default_rng(1).permutation(len(factors))
    ours = evaluate(latents, factors, metrics="mig")["mig"]["discrete_mig"]
    turned = evaluate(latents[rows][:, [2, 0, 1]], factors[rows], metrics="mig")
    assert turned["mig"]["discrete_mig"] == pytest.approx(ours, abs=1e-12)
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


def test_sap_of_continuous_factors_is_that_of_dlib_on_the_numbers_themselves():
    factors = np.random.default_rng(0).uniform(size=(3000, 3))
    latents = mixed_latents(factors)
    binding = "sap_score.continuous_factors = True"
    ours = evaluate(latents, factors, metrics="sap", gin_bindings=binding)["sap"]["SAP_score"]
    matrix = sap_score.compute_score_matrix(latents.T, factors.T, None, None, True)
    assert ours == pytest.approx(sap_score.compute_avg_diff_top_two(matrix), abs=0.02)


def test_mcc_and_infomec_are_those_of_the_functions_on_the_same_points():
    factors, kinds = grid(), ["categorical", "continuous", "continuous"]
    latents = mixed_latents(factors)
    ours = evaluate(latents, factors, metrics=["mcc", "infomec"], factor_kinds=kinds)
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
    assert [list(factor.values()) for factor in result["factors"]] == [
        ["scale", "continuous", "2 classes, one for each value"],
        ["angle", "continuous", "20 steps of equal width from 0 to 2"],
        ["object", "categorical", "30 classes, one for each value"],
    ]
    assert list(result["factors"][0]) == ["name", "kind", "in_dlibs_metrics"]
    assert result["settings"]["mig.num_train"] == 500
    assert result["settings"]["discretizer.num_bins"] == 20


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_large_class_labels_stay_apart(tmp_path, dtype):
    labels = (20261130000000001 + np.arange(40) % 8).astype(dtype)
    np.save(tmp_path / "w.npy", labels)
    table = PointTable(factor_table(reading.array(str(tmp_path / "w.npy"), "factors"), 40), 40)
    values, points = table.sample_unbinned(40, np.random.RandomState(0))
    np.testing.assert_array_equal(values[:, 0], points % 8)


def test_metrics_that_keep_a_factor_match_points_where_combinations_are_missing():
    # 20 steps of three factors are 8,000 combinations.
    factors = np.random.default_rng(0).uniform(size=(1000, 3))
    metrics = ["beta_vae", "factor_vae"]
    known = evaluate(factors, factors, metrics=metrics, gin_bindings=SHORT)
    unknown = evaluate(noise(1000, 3), factors, metrics=metrics, gin_bindings=SHORT)
    assert "as in the table" in known.about["points_of"]["beta_vae_sklearn"]
    for metric in metrics:
        assert known[metric]["eval_accuracy"] > 0.95
        assert unknown[metric]["eval_accuracy"] < 0.5


def test_training_and_test_points_of_a_metric_differ():
    # Each point is a class of its own: a predictor of unseen points is wrong at all of them.
    sizes = ["downstream_task.num_train = [8, 16]", "downstream_task.num_test = 8"]
    found = evaluate(noise(24, 2), np.arange(24), metrics="downstream_task", gin_bindings=sizes)
    values = found["downstream_task"]
    assert values["16:mean_train_accuracy"] == 1
    assert values["8:mean_test_accuracy"] == values["16:mean_test_accuracy"] == 0


@pytest.mark.long
def test_the_same_call_gives_the_same_numbers():
    latents = mixed_latents(grid(5)) + 0.3 * noise(120, 3)
    metrics, short = ["dci", "strong_downstream_task"], "strong_downstream_task.n_experiment = 1"
    first, again, other = (
        evaluate(latents, grid(5), metrics=metrics, seed=seed, gin_bindings=short).metrics
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_unsupervised_metrics_need_no_factors_and_a_value_that_is_not_finite_is_null_and_said(
    files,
):
    found = evaluate(noise(1000, 3), metrics="unsupervised")["unsupervised"]
    assert 0 <= found["gaussian_total_correlation"] < 0.01
    files.save(constant=noise(100, 3) * [1, 1, 0])
    # The logarithm of a constant latent's variance.
    found = files.run("--metrics", "unsupervised", latents="constant", factors=None)
    status, result, errors = found
    assert status == 0
    assert result["metrics"]["unsupervised_metrics"]["gaussian_total_correlation"] is None
    assert "gaussian_total_correlation is nan and is saved as null" in errors


def test_an_error_inside_a_metric_is_one_message(files):
    # The two training points have the class 0, which a classifier refuses.
    factors = np.zeros((20, 2), int)
    factors[0] = 1
    files.save(z=noise(20, 2), w=factors)
    words = ["--metrics", "sap", "--gin-bindings", "sap_score.num_train = 2"]
    status, result, errors = files.run(*words)
    assert status == 1
    assert result["errors"]["sap_score"].startswith("ValueError: ")
    assert errors.startswith("vae_ortho_evaluate: sap_score: ValueError: ")
    assert "take more points" in errors and "Traceback" not in errors


def test_the_command_writes_a_file_from_npz_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("all.npz", latents=grid().astype(float), factors=grid(), other=[1])
    words = ["--latents", "all.npz", "--factors", "all.npz", "--metrics", "mig"]
    assert command.main([*words, "--output", "new/result.json"]) == 0
    assert capsys.readouterr().out == ""
    result = json.loads(Path("new/result.json").read_text())
    assert result["metrics"]["mig"]["discrete_mig"] == pytest.approx(1, abs=1e-9)
    assert result["points"] == 480


def test_the_example_of_the_docs_gives_what_the_page_says(tmp_path, monkeypatch):
    page = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text()
    section = page.partition("## Latents from elsewhere")[2]
    program, shell = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(program.replace("size=3000", "size=1000"), names)  # noqa: S102  as a reader copies it
    metrics = names["result"].metrics
    assert metrics["mig"]["discrete_mig"] > 0.9
    assert metrics["dci"]["disentanglement"] > 0.9
    assert metrics["disentanglement_score"]["disentanglement_score"] > 0.9
    script, *words = shlex.split(shell.replace("\\\n", ""))
    assert script == "vae_ortho_evaluate"
    words.remove("dci")  # takes longest
    assert command.main(words) == 0
    del metrics["dci"]
    assert json.loads(Path("result.json").read_text())["metrics"] == metrics


def test_the_help_names_every_metric(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in (*METRICS, *OF_JACOBIANS, "beta_vae (beta_vae_sklearn)"))
