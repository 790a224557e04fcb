# SPDX-License-Identifier: Apache-2.0
import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS, Experiment, Run, run_of


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
        (5700, "synth_linear_lambda_0/linearized_vae/0"),
        (6909, "synth_nonlinear_lambda_4/linearized_vae/9"),
        (8900, "fashion_mnist_epochs_20/autoencoder/0"),
        (9300, "synth_linear_batch_16/polarized_vae/0"),
        (9400, "synth_nonlinear_batch_16/beta_vae/0"),
        (10100, "synth_nonlinear_batch_16_latents_10/beta_vae/0"),
        (11400, "synth_linear_batch_16_axis_ratio_1.5/beta_vae/0"),
        (12400, "synth_linear_angle_45/beta_vae/0"),
        (14804, "synth_linear_axis_ratio_1.5_lambda_1/linearized_vae/4"),
    ],
)
def test_model_numbers_keep_their_meaning(model_num, name):
    # Published results name these numbers: a change here breaks them.
    assert str(run_of(model_num)) == name


def test_run_of_inverts_model_num_and_no_cell_is_listed_twice():
    runs = [Run(experiment, seed) for experiment in EXPERIMENTS for seed in (0, 99)]
    assert [run_of(run.model_num) for run in runs] == runs


@pytest.mark.parametrize("model_num", [-1, len(EXPERIMENTS) * 100])
def test_a_model_number_out_of_range_is_refused_with_the_range(model_num):
    with pytest.raises(InputError, match=rf"{model_num}; it has 0 to {len(EXPERIMENTS) * 100 - 1}"):
        run_of(model_num)


def test_rows_have_names_of_their_own():
    variants = {experiment.data for experiment in EXPERIMENTS}
    assert (
        len({variant.name for variant in variants})
        == len({variant.title for variant in variants})
        == len(variants)
    )


def test_a_shortened_row_has_a_name_and_title_of_its_own_and_the_number_of_the_whole_run():
    short = experiments.MNIST.shortened(20)
    assert (short.name, short.title) == ("mnist-20-epochs", "MNIST (20 of 400 epochs)")
    assert (
        Run(Experiment(short, "vae"), 3).model_num
        == Run(Experiment(experiments.MNIST, "vae"), 3).model_num
    )
    assert short.as_planned == experiments.MNIST == experiments.MNIST.as_planned


def test_a_row_is_never_lengthened():
    assert (
        experiments.MNIST.shortened(400) == experiments.MNIST.shortened(1000) == experiments.MNIST
    )


@pytest.mark.parametrize("variant", experiments.SWEPT_BETAS)
def test_the_betas_of_a_sweep_are_cells_that_differ_in_beta_alone(variant):
    swept = [
        experiments.beta_experiment(variant, beta) for beta in experiments.SWEPT_BETAS[variant]
    ]
    assert set(swept) <= set(EXPERIMENTS)
    assert len(set(swept)) == len(swept)
    assert {(experiment.data.data_set, experiment.data.epochs) for experiment in swept} == {
        (variant.data_set, variant.epochs)
    }


def test_the_cells_of_tables_and_figures_are_there():
    assert {
        experiment
        for variant in experiments.TABLE_VARIANTS
        for experiment in experiments.table_1_experiments(variant)
    } <= set(EXPERIMENTS)
    assert {experiments.axis_ratio_experiment(ratio) for ratio in experiments.AXIS_RATIOS} <= set(
        EXPERIMENTS
    )
    figure_4 = [experiments.figure_4_experiment(number) for number in experiments.FIGURE_4_EPOCHS]
    assert set(figure_4) <= set(EXPERIMENTS)
    assert [experiment.data.epochs for experiment in figure_4] == [10, 30, 50]


def test_every_model_has_a_title():
    assert {experiment.model for experiment in EXPERIMENTS} == set(experiments.MODEL_TITLES)
