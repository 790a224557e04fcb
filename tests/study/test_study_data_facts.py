# SPDX-License-Identifier: Apache-2.0
"""What results and runs say of the data they were made from."""

import json

import gin
import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import dsprites, named_data
from disentanglement_lib.utils import results
from training_fixtures import fresh_gin  # noqa: F401

from vae_ortho_plugin.data import render_dsprites
from vae_ortho_plugin.data.dsprites import RENDERED
from vae_ortho_plugin.data.synthetic import SynthNonlinear, mlp_map
from vae_ortho_plugin.study.run.reproduce import data_facts


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    path = tmp_path / "dsprites.npz"
    render_dsprites.render(path, (1, 1, 1, 1, 2, 2))
    monkeypatch.setattr(dsprites, "DSPRITES_PATH", str(path))


def write_results(directory, *bindings):
    """As dlib's training does at its end, after it has made the data set."""
    gin.parse_config(bindings)
    named_data.get_named_ground_truth_data()
    results.update_result_directory(str(directory / "results"), "train", {"loss": 1.0})
    return json.loads((directory / "results/json/train_results.json").read_text())


@pytest.mark.parametrize("name", ["dsprites_full", "noisy_dsprites"])
def test_every_result_from_rendered_data_says_so(name, rendered, tmp_path):
    written = write_results(tmp_path, f"dataset.name = '{name}'")
    assert (written["data"], written["loss"]) == (RENDERED, 1.0)
    assert data_facts(tmp_path / "results/gin/train.gin") == {
        "name": name,
        "origin": RENDERED,
    }


def test_results_from_other_data_do_not(rendered, tmp_path):
    assert "data" not in write_results(tmp_path, "dataset.name = 'synth_linear'")
    assert data_facts(tmp_path / "results/gin/train.gin") == {"name": "synth_linear"}


def test_a_result_without_a_data_set_is_written_as_ever(tmp_path):
    results.update_result_directory(str(tmp_path), "train", {"loss": 1.0})
    assert "data" not in json.loads((tmp_path / "json/train_results.json").read_text())


def test_a_run_records_the_random_weights_of_its_data(tmp_path):
    write_results(tmp_path, "dataset.name = 'synth_nonlinear'", "synth_nonlinear.weight_seed = 7")
    facts = json.loads(json.dumps(data_facts(tmp_path / "results/gin/train.gin")))
    assert facts["weight_seed"] == 7
    layers = [(np.array(layer["kernel"]), np.array(layer["bias"])) for layer in facts["weights"]]
    points = np.random.RandomState(0).random_sample((5, 2))
    expected = SynthNonlinear(num_points=10, weight_seed=7).observations_of(points)
    np.testing.assert_allclose(mlp_map(points, layers), expected)
