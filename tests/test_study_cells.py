# SPDX-License-Identifier: Apache-2.0
import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study import cells
from vae_ortho_plugin.study.cells import CELLS, Run, run_of, select


def test_model_numbers_keep_their_meaning():
    # Published results name these numbers: a change here breaks them.
    assert str(run_of(0)) == "synth_linear/beta_vae/0"
    assert str(run_of(302)) == "synth_linear/random_decoder/2"
    assert str(run_of(499)) == "synth_nonlinear/beta_vae/99"
    assert str(run_of(900)) == "mnist_short/autoencoder/0"


def test_run_of_inverts_model_num_and_no_cell_is_listed_twice():
    runs = [Run(cell, seed) for cell in CELLS for seed in (0, 99)]
    assert [run_of(run.model_num) for run in runs] == runs


@pytest.mark.parametrize("model_num", [-1, len(CELLS) * 100])
def test_a_model_number_out_of_range_is_refused_with_the_range(model_num):
    with pytest.raises(InputError, match=rf"{model_num}; it has 0 to {len(CELLS) * 100 - 1}"):
        run_of(model_num)


def test_the_quick_study_has_five_seeds_of_four_models_on_both_synthetic_sets():
    runs = [run for run in select("quick") if run.cell.row != cells.MNIST_SHORT]
    assert len(set(runs)) == len(runs) == 40
    assert {run.seed for run in runs} == set(range(5))


def test_a_selection_is_the_product_of_its_parts():
    runs = select("quick", models=["autoencoder"], rows=["synth_nonlinear"], seeds=[7, 0, 7])
    assert [str(run) for run in runs] == [
        "synth_nonlinear/autoencoder/0",
        "synth_nonlinear/autoencoder/7",
    ]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"study": "slow"}, "Unknown study 'slow'; known: quick"),
        ({"study": "quick", "models": ["vea"]}, "Unknown model 'vea'; known: beta_vae, autoenc"),
        ({"study": "quick", "rows": ["cars"]}, "Unknown data set 'cars'; known: synth_linear, s"),
        ({"study": "quick", "seeds": [100]}, "Seed 100 is not between 0 and 99"),
        ({"study": "quick", "models": ["vae"], "rows": ["synth_linear"]}, "none of these models"),
    ],
)
def test_a_selection_of_what_is_not_there_names_what_is(selection, message):
    with pytest.raises(InputError, match=message):
        select(**selection)


def test_every_model_has_a_title():
    assert {cell.model for cell in CELLS} == set(cells.MODEL_TITLES)
