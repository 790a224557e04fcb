# SPDX-License-Identifier: Apache-2.0
"""dlib's lesser scripts and data: what its wheel lacks, patterns without results, names of factors."""

import json
import multiprocessing
import os

import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.utils import aggregate_results
from processes import run_python

from vae_ortho_plugin.data import register, render_dsprites
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.layout import RESULT_PATTERN, ResultsFolder
from vae_ortho_plugin.study.run.aggregation import aggregate
from vae_ortho_plugin.study.run.reproduce import dlib_script


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("errors.InputError('beta = 0')", "beta = 0"),
        (
            "ModuleNotFoundError(name='disentanglement_lib.evaluation.udr')",
            "needs disentanglement_lib.evaluation.udr, which the wheel",
        ),
    ],
)
def test_of_bad_input_and_modules_that_the_wheel_lacks_a_script_shows_the_message_alone(
    error, shown
):
    program = (
        "import sys\nfrom vae_ortho_plugin import errors\n"
        "from vae_ortho_plugin.dlib import console_scripts\n"
        f"sys.argv = ['dlib_udr']\nconsole_scripts.show_input_errors_alone()\nraise {error}"
    )
    done = run_python("-c", program)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dlib_udr: {shown}") and done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_script_whose_modules_the_wheel_lacks_says_so(tmp_path):
    done = run_python(dlib_script("dlib_udr"), cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "dlib_udr: needs disentanglement_lib.evaluation.udr, which the wheel" in done.stderr


def test_a_pattern_without_matches_is_refused_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for pattern, expected in ((None, "--result_file_pattern"), ("no/*.json", "No file matches")):
        with pytest.raises(InputError, match=expected):
            aggregate_results.aggregate_results_to_json(pattern, "results.json")
    assert os.listdir() == []


@pytest.mark.parametrize("content", ["", "[1]"])
def test_a_damaged_result_is_named_and_nothing_is_written(tmp_path, content):
    (tmp_path / "one.json").write_text('{"a": 1}')
    (tmp_path / "two.json").write_text(content)
    output = tmp_path / "results.out"
    with pytest.raises(InputError, match=r"two\.json is no result of dlib"):
        aggregate_results.aggregate_results_to_json(str(tmp_path / "*.json"), str(output))
    assert not output.exists()
    # Processes forked from one with threads may wait for ever.
    assert multiprocessing.active_children() == []


def test_aggregated_numbers_keep_every_digit(tmp_path):
    numbers = {"tiny": 3e-11, "third": 1 / 3, "huge": 1.2345678901234567e200, "seed": 2**62 + 1}
    (tmp_path / "a.json").write_text(json.dumps(numbers))
    (tmp_path / "b.json").write_text('{"other": [1e-20, NaN]}')
    output = tmp_path / "results.out"
    aggregate_results.aggregate_results_to_json(str(tmp_path / "*.json"), str(output))
    written = json.loads(output.read_text())
    assert {name: written[name]["0"] for name in numbers} == numbers
    assert written["seed"]["1"] is None and written["other"]["1"] == [1e-20, None]
    table = aggregate_results.load_aggregated_json_results(str(output))
    assert table["third"][0] == 1 / 3 and table["tiny"][0] == 3e-11


def test_a_study_writes_what_dlib_aggregates(tmp_path, monkeypatch):
    for seed, value in enumerate(("0.1", "NaN")):
        run = tmp_path / f"runs/synth_linear/beta_vae/{seed}"
        result = run / "metrics/mean/dto/results/aggregate/evaluation.json"
        result.parent.mkdir(parents=True)
        result.write_text(f'{{"dto": {value}, "seed": {seed}}}')
        (run / "run.json").write_text("{}")
    aggregate(ResultsFolder(tmp_path))
    monkeypatch.chdir(tmp_path)
    aggregate_results.aggregate_results_to_json(RESULT_PATTERN, "by_dlib.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == json.loads((tmp_path / "by_dlib.json").read_text())
    assert written["dto"] == {"0": 0.1, "1": None}


class Nameless(GroundTruthData):
    """A data set of a user without names of its factors."""

    num_factors, factors_num_values, observation_shape = 2, [3, 4], [2, 1, 1]

    def sample_factors(self, num, random_state):
        return random_state.randint((3, 4), size=(num, 2))

    def sample_observations_from_factors(self, factors, random_state):
        return factors


def test_factors_without_names_get_those_that_unified_scores_draw():
    register("nameless", Nameless)
    dataset = named_data.get_named_ground_truth_data("nameless")
    assert dataset.factor_names == ["factor 0", "factor 1"]


def test_abstract_dsprites_of_the_abstract_reasoning_study_is_a_data_set(tmp_path, monkeypatch):
    assert render_dsprites.main(["--root", str(tmp_path), "--grid", *"32222"]) == 0
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    dataset = named_data.get_named_ground_truth_data("abstract_dsprites")
    assert dataset.factors_num_values == [5, 6, 3, 2, 2, 2]
    factors, images = dataset.sample(4, np.random.RandomState(0))
    assert images.shape == (4, 64, 64, 3)
    assert factors.shape == (4, 6)
    assert dataset.factor_names == list(named_kinds(dataset))
