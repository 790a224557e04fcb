# SPDX-License-Identifier: Apache-2.0
import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study import experiments
from vae_ortho_plugin.study.experiments import CELLS, Cell, Run, run_of


@pytest.mark.parametrize(
    ("model_num", "name"),
    [
        (0, "synth_linear/beta_vae/0"),
        (302, "synth_linear/random_decoder/2"),
        (499, "synth_nonlinear/beta_vae/99"),
        (900, "mnist_short/autoencoder/0"),
        (1100, "synth_linear/polarized_vae/0"),
        (1400, "mnist/vae/0"),
        (2001, "fashion_mnist/autoencoder/1"),
        (2400, "dsprites/beta_vae/0"),
        (3300, "mnist_latents_10/vae/0"),
        (3605, "dsprites_epochs_30/beta_vae/5"),
        (4300, "synth_linear_beta_0.001/beta_vae/0"),
        (5300, "synth_linear_axis_ratio_1.5/beta_vae/0"),
        (5500, "synth_linear_batch_16/autoencoder/0"),
    ],
)
def test_model_numbers_keep_their_meaning(model_num, name):
    # Published results name these numbers: a change here breaks them.
    assert str(run_of(model_num)) == name


def test_run_of_inverts_model_num_and_no_cell_is_listed_twice():
    runs = [Run(cell, seed) for cell in CELLS for seed in (0, 99)]
    assert [run_of(run.model_num) for run in runs] == runs


@pytest.mark.parametrize("model_num", [-1, len(CELLS) * 100])
def test_a_model_number_out_of_range_is_refused_with_the_range(model_num):
    with pytest.raises(InputError, match=rf"{model_num}; it has 0 to {len(CELLS) * 100 - 1}"):
        run_of(model_num)


def test_rows_have_names_of_their_own():
    rows = {cell.row for cell in CELLS}
    assert len({row.name for row in rows}) == len({row.title for row in rows}) == len(rows)


def test_a_shortened_row_has_a_name_and_title_of_its_own_and_the_number_of_the_whole_run():
    short = experiments.MNIST.shortened(20)
    assert (short.name, short.title) == ("mnist-20-epochs", "MNIST (20 of 400 epochs)")
    assert Run(Cell(short, "vae"), 3).model_num == Run(Cell(experiments.MNIST, "vae"), 3).model_num
    assert short.study_row == experiments.MNIST == experiments.MNIST.study_row


def test_a_row_is_never_lengthened():
    assert (
        experiments.MNIST.shortened(400) == experiments.MNIST.shortened(1000) == experiments.MNIST
    )


@pytest.mark.parametrize("row", experiments.SWEPT_BETAS)
def test_the_betas_of_a_sweep_are_cells_that_differ_in_beta_alone(row):
    swept = [experiments.beta_cell(row, beta) for beta in experiments.SWEPT_BETAS[row]]
    assert set(swept) <= set(CELLS)
    assert len(set(swept)) == len(swept)
    assert {(cell.row.data_set, cell.row.epochs) for cell in swept} == {(row.data_set, row.epochs)}


def test_the_cells_of_tables_and_figures_are_there():
    assert {
        cell for row in experiments.TABLE_ROWS for cell in experiments.table_1_cells(row)
    } <= set(CELLS)
    assert {experiments.axis_ratio_cell(ratio) for ratio in experiments.AXIS_RATIOS} <= set(CELLS)
    figure_4 = [experiments.figure_4_cell(number) for number in experiments.FIGURE_4_EPOCHS]
    assert set(figure_4) <= set(CELLS)
    assert [cell.row.epochs for cell in figure_4] == [10, 30, 50]


def test_every_model_has_a_title():
    assert {cell.model for cell in CELLS} == set(experiments.MODEL_TITLES)
