# SPDX-License-Identifier: Apache-2.0
"""The study as disentanglement_lib sees it."""

from pathlib import Path

import gin
import pytest
from disentanglement_lib.config import reproduce
from disentanglement_lib.methods.unsupervised import train  # noqa: F401, registers the models

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.cells import CELLS, Run
from vae_ortho_plugin.study.vae_pca_v1 import STUDY


def names(paths):
    return [Path(path).stem for path in paths]


def test_dlib_knows_the_study():
    assert reproduce.STUDIES["vae_pca_v1"] is STUDY


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.row.name}-{cell.model}")
def test_every_cell_is_a_configuration_that_gin_accepts(cell):
    bindings, model_file = STUDY.get_model_config(Run(cell, seed=7).model_num)
    assert Path(model_file).stem == cell.model
    gin.clear_config()
    try:
        gin.parse_config_files_and_bindings([model_file], bindings)
        assert gin.query_parameter("dataset.name") == cell.row.data_set
        assert gin.query_parameter("model.random_seed") == 7
    finally:
        gin.clear_config()


def test_the_short_mnist_row_trains_five_epochs():
    (cell,) = (c for c in CELLS if c.row.name == "mnist_short" and c.model == "vae")
    bindings, model_file = STUDY.get_model_config(Run(cell, 0).model_num)
    gin.clear_config()
    try:
        gin.parse_config_files_and_bindings([model_file], bindings)
        assert gin.get_bindings("model")["training_steps"] == 5 * 56_000 / 64
    finally:
        gin.clear_config()


def test_the_metrics_are_those_that_suit_the_model_asked_for_last():
    for cell in CELLS:
        STUDY.get_model_config(Run(cell, 0).model_num)
        assert names(STUDY.get_eval_config_files()) == (
            ["dto", "disentanglement_score"] if cell.row.has_factors else ["dto"]
        )
    assert names(STUDY.get_postprocess_config_files()) == ["mean"]


def test_the_configuration_can_be_printed(capsys):
    STUDY.print_model_config(3)
    assert "model.random_seed = 3" in capsys.readouterr().out.splitlines()


def test_a_model_number_out_of_range_is_refused():
    with pytest.raises(InputError, match="it has 0 to"):
        STUDY.get_model_config(len(CELLS) * 100)
