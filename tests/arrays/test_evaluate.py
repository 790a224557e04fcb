# SPDX-License-Identifier: Apache-2.0
"""evaluate: its arguments, of any framework, and its result."""

import json

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from array_support import SHORT, files, grid  # noqa: F401

from vae_ortho_plugin import InputError, disentanglement_score, evaluate
from vae_ortho_plugin.arrays.names import METRICS

FACTORS = grid()
MEANS = FACTORS.astype(float)


def test_the_result_is_that_of_the_command_and_has_each_metric_by_its_names(files, tmp_path):
    files.save(z=MEANS, w=FACTORS)
    status, printed, _ = files.run("--metrics", "mig", "modularity", "--seed", "3")
    result = evaluate(MEANS, FACTORS, metrics=["mig", "modularity"], seed=3)
    assert status == 0 and printed == result.as_dict()
    result.to_json(tmp_path / "result.json")
    assert json.loads((tmp_path / "result.json").read_text()) == printed
    assert result["modularity"] == result["modularity_explicitness"] != result["mig"]
    with pytest.raises(KeyError):
        _ = result["dci"]


def test_results_compare_have_a_table_and_leave_numpys_random_numbers_as_they_were():
    state = np.random.get_state()[1].tolist()
    result, same = (evaluate(MEANS, FACTORS, metrics="mig") for _ in range(2))
    assert np.random.get_state()[1].tolist() == state
    assert result == same and hash(result) == hash(same)
    assert result != evaluate(MEANS[::-1] ** 2 @ np.ones((3, 3)), FACTORS, metrics="mig")
    head, row = str(result).splitlines()
    assert head.split() == ["metric", "name", "value"]
    assert row.split()[:2] == ["mig", "discrete_mig"] and float(row.split()[2]) > 0.99
    (found,) = result.to_frame().to_dict("records")
    value = result["mig"]["discrete_mig"]
    assert found == {"metric": "mig", "name": "discrete_mig", "value": value}


def test_a_metric_that_fails_is_named_with_its_message():
    factors = FACTORS.copy()
    factors[0, 0] = 9
    result = evaluate(MEANS, factors, metrics=["mig", "modularity"])
    assert result["mig"]["discrete_mig"] > 0.9
    with pytest.raises(KeyError, match="modularity failed: 1 of the 5 classes of 'factor 0'"):
        _ = result["modularity"]
    assert "modularity_explicitness failed: 1 of the 5" in str(result)


def test_without_names_all_metrics_are_computed_that_the_arrays_allow():
    rng = np.random.default_rng(0)
    jacobians = rng.normal(size=(9, 4, 3))
    of_jacobians = ["dto", "ima_contrast", "precision_gap"]
    found = evaluate(None, jacobians=jacobians)
    assert list(found.metrics) == of_jacobians and "precision_gap" not in found["precision_gap"]
    found = evaluate(MEANS, sigma=np.ones((9, 3)), jacobians=jacobians)
    assert list(found.metrics) == ["unsupervised_metrics", *of_jacobians]
    # One constant latent, by whose deviation modularity divides; and no continuous factor for mcc.
    found = evaluate(MEANS[:96] * [1, 1, 0], FACTORS[:96], gin_bindings=SHORT)
    left_out = {"modularity_explicitness", "mcc", *(n for n in METRICS if METRICS[n].trains)}
    assert set(found.metrics) == set(METRICS) - left_out and not found.errors


class Tensor:
    """A tensor of PyTorch on a GPU, in bfloat16, as far as its conversion goes."""

    def __init__(self, values, steps=()):
        self.values, self.steps, self.dtype = values, steps, "torch.bfloat16"

    def detach(self):
        return Tensor(self.values, (*self.steps, "detach"))

    def cpu(self):
        return Tensor(self.values, (*self.steps, "cpu"))

    def float(self):
        return Tensor(self.values, (*self.steps, "float"))

    def __array__(self, dtype=None, copy=None):
        assert self.steps == ("detach", "cpu", "float")
        return np.asarray(self.values, np.float32)


def torch_tensor(array):
    torch = pytest.importorskip("torch")
    return torch.tensor(np.asarray(array, float), requires_grad=True).to(torch.bfloat16)


@pytest.mark.parametrize(
    "convert",
    [np.ndarray.tolist, jnp.asarray, lambda a: jnp.asarray(a, jnp.bfloat16), Tensor, torch_tensor],
    ids=["list", "jax", "bfloat16", "like torch on a GPU", "torch"],
)
def test_arrays_are_of_any_framework(convert):
    factors, jacobians = FACTORS[:24], np.arange(24.0).reshape(2, 4, 3) % 5
    given = {"factor_kinds": "categorical", "metrics": ["mig"]}
    expected = evaluate(MEANS[:24], factors, jacobians=jacobians, sigma=np.ones((2, 3)), **given)
    found = evaluate(
        convert(MEANS[:24]),
        convert(factors),
        jacobians=convert(jacobians),
        sigma=convert(np.ones((2, 3))),
        **given,
    )
    assert found == expected


COLUMNS = {
    "shape": np.array(["heart", "square", "ellipse", "star"])[FACTORS[:, 0]],
    "place": FACTORS[:, 1] / 4,
    "count": FACTORS[:, 2],
}
KINDS = {"shape": "categorical", "place": "continuous", "count": "categorical"}


def pandas_frame():
    frame = pd.DataFrame(COLUMNS)
    frame["size"] = pd.Categorical(FACTORS[:, 1] / 4)  # names that look like numbers
    return frame, {**KINDS, "size": "categorical"}


def polars_frame():
    polars = pytest.importorskip("polars")
    size = polars.Series("size", COLUMNS["shape"], dtype=polars.Categorical)
    return polars.DataFrame(COLUMNS).with_columns(size), {**KINDS, "size": "categorical"}


@pytest.mark.parametrize("frame", [lambda: (COLUMNS, KINDS), pandas_frame, polars_frame])
def test_the_columns_of_a_frame_are_factors_with_names_and_kinds(frame):
    factors, kinds = frame()
    found = evaluate(MEANS, factors, metrics=["mig", "disentanglement_score"])
    assert {entry["name"]: entry["kind"] for entry in found.about["factors"]} == kinds
    assert found["disentanglement_score"]["factor_names"] == list(kinds)
    assert found["mig"]["discrete_mig"] == pytest.approx(1, abs=0.3)


def test_kinds_of_one_word_are_those_of_all_factors():
    found = evaluate(MEANS, FACTORS, factor_kinds="continuous", metrics="disentanglement_score")
    assert found["disentanglement_score"]["factor_kinds"] == ["continuous"] * 3
    score = disentanglement_score(MEANS, FACTORS, ["continuous"] * 3)
    value = found["disentanglement_score"]["disentanglement_score"]
    assert value == pytest.approx(score.score, abs=0.03)


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        (pd.DataFrame(COLUMNS)[["shape", "shape"]], "twice in factor_names"),
        (pd.DataFrame({"a": [None, *FACTORS[1:, 0]]}), r"factors\['a'\]\[0\] is nan"),
        (pd.DataFrame({"a": [None, *COLUMNS["shape"][1:]]}), "has strings and"),
        ({"a": FACTORS[:, 0], "b": [1]}, r"here \[480, any\]; found \(1, 2\)"),
        ({"a": FACTORS[:, 0], "b": 1}, r"here \[480, any\]; found \(1, 2\)"),
        ([[1], [2, 3]], "factors cannot be converted"),
        (3, r"found \(\)"),
        ([["a", {}]] * 480, r"factors\[:, 1\] is an array of the type object"),
    ],
)
def test_factors_that_do_not_fit_are_named(factors, expected):
    with pytest.raises(InputError, match=expected):
        evaluate(MEANS, factors, metrics="mig")
