# SPDX-License-Identifier: Apache-2.0
"""The experiments and their model numbers; which runs a study's name and the command line stand for."""

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS, Experiment, Run, run_of
from vae_ortho_plugin.study.plan.plans import STUDIES, plan_of, select
from vae_ortho_plugin.study.run.command import STUDY_DESCRIPTIONS


def test_model_numbers_keep_their_meaning():
    # Published results name these numbers: a change here breaks them.
    names = {
        0: "synth_linear/beta_vae/0",
        302: "synth_linear/random_decoder/2",
        499: "synth_nonlinear/beta_vae/99",
        900: "mnist_short/autoencoder/0",
        1100: "synth_linear/polarized_vae/0",
        1400: "mnist/vae/0",
        2001: "fashion_mnist/autoencoder/1",
        2400: "dsprites/beta_vae/0",
        3300: "mnist_latents_10/vae/0",
        3605: "dsprites_epochs_30/beta_vae/5",
        4300: "synth_linear_beta_0.001/beta_vae/0",
        5300: "synth_linear_axis_ratio_1.5/beta_vae/0",
        5500: "synth_linear_batch_16/autoencoder/0",
        5700: "synth_linear_lambda_0/linearized_vae/0",
        6909: "synth_nonlinear_lambda_4/linearized_vae/9",
        8900: "fashion_mnist_epochs_20/autoencoder/0",
        9300: "synth_linear_batch_16/polarized_vae/0",
        9400: "synth_nonlinear_batch_16/beta_vae/0",
        10100: "synth_nonlinear_batch_16_latents_10/beta_vae/0",
        11400: "synth_linear_batch_16_axis_ratio_1.5/beta_vae/0",
        12400: "synth_linear_angle_45/beta_vae/0",
        14804: "synth_linear_axis_ratio_1.5_lambda_1/linearized_vae/4",
    }
    assert {number: str(run_of(number)) for number in names} == names


def test_run_of_inverts_model_num_and_no_cell_is_listed_twice():
    runs = [Run(experiment, seed) for experiment in EXPERIMENTS for seed in (0, 99)]
    assert [run_of(run.model_num) for run in runs] == runs


@pytest.mark.parametrize("model_num", [-1, len(EXPERIMENTS) * 100])
def test_a_model_number_out_of_range_is_refused_with_the_range(model_num):
    with pytest.raises(InputError, match=rf"{model_num}; it has 0 to {len(EXPERIMENTS) * 100 - 1}"):
        run_of(model_num)


def test_data_variants_have_names_and_titles_of_their_own_and_models_titles():
    variants = {experiment.data for experiment in EXPERIMENTS}
    assert len(variants) == len({data.name for data in variants})
    assert len(variants) == len({data.title for data in variants})
    assert {experiment.model for experiment in EXPERIMENTS} == set(experiments.MODEL_TITLES)


def test_a_shortened_run_has_a_name_and_title_of_its_own_and_the_number_of_the_whole_run():
    mnist = experiments.MNIST
    short = mnist.shortened(20)
    assert (short.name, short.title) == ("mnist-20-epochs", "MNIST (20 of 400 epochs)")
    run, whole = (Run(Experiment(data, "vae"), 3) for data in (short, mnist))
    assert run.model_num == whole.model_num
    assert short.as_planned == mnist == mnist.as_planned
    assert mnist.shortened(400) == mnist.shortened(1000) == mnist


def test_every_study_is_described_and_has_experiments_in_their_order():
    assert STUDIES.keys() == STUDY_DESCRIPTIONS.keys()
    for name in STUDIES:
        numbers = [EXPERIMENTS.index(experiment) for experiment in plan_of(name)]
        assert numbers == sorted(numbers)
        assert plan_of(name) == STUDIES[name] != {}, "without one that has no number"


def test_the_quick_study_has_the_synthetic_sets_the_dial_and_turned_factors():
    runs = [run for run in select("quick") if run.experiment.data != experiments.MNIST_SHORT]
    dial = [run for run in runs if run.experiment.model == "linearized_vae"]
    assert (len(runs), len(dial)) == (58, 9)
    turned = {run.experiment.model for run in runs if "angle_45" in run.experiment.data.name}
    assert turned == {"beta_vae", "beta_vae_sigma", "autoencoder"}
    assert {run.experiment.data.name for run in dial} == {
        f"synth_linear_lambda_{weight}" for weight in (0, 1, 4)
    }


def test_the_dial_has_seven_weights_beside_three_models_on_four_data_sets_and_the_limits_four_on_ten():
    plan = plan_of("dial")
    assert len(plan) == 4 * (7 + 3)
    of_images = {one: seeds for one, seeds in plan.items() if not one.data.has_factors}
    assert {(seeds, one.data.epochs) for one, seeds in of_images.items()} == {(3, 20)}
    assert {seeds for one, seeds in plan.items() if one not in of_images} == {10}
    plan = plan_of("limits")
    assert len(plan) == 4 * 10
    assert len({experiment.data.name for experiment in plan}) == 2 * 10  # λ is in the name


def test_every_experiment_is_in_some_study_and_the_parts_make_the_whole():
    # With batches of 64, sweeps of β and 10 latents are in no study: their numbers were published.
    unplanned = set(EXPERIMENTS) - {one for study in STUDIES for one in plan_of(study)}
    assert {one.data.batch_size for one in unplanned} == {64}
    assert {one.data.name.split("_")[2] for one in unplanned} == {"latents", "beta"}
    full = plan_of("full")
    parts = [plan_of(name) for name in ("synthetic", "mnist", "dsprites")]
    assert {one for part in parts for one in part} == set(full)
    for name in ("table_1", "table_2", "figure_4", "supplement_c"):
        assert set(plan_of(name)) <= set(full)


def test_published_tables_have_ten_seeds_and_the_supplements_and_limits_five():
    seeds = {name: set(plan_of(name).values()) for name in STUDIES}
    assert seeds["table_1"] == seeds["table_2"] == seeds["figure_4"] == {10}
    assert seeds["supplement_c"] == seeds["limits"] == {5}
    full = plan_of("full")
    assert full[experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-4)] == 10
    assert full[experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-3)] == 5


def test_a_selection_is_the_product_of_its_parts_and_epochs_shorten_what_trains_longer():
    runs = select("synthetic", models=["autoencoder"], variants=["synth_linear"], seeds=[7, 0, 7])
    assert list(map(str, runs)) == ["synth_linear/autoencoder/0", "synth_linear/autoencoder/7"]
    assert list(map(str, select("figure_4", seeds=[0], epochs=20))) == [
        "dsprites-20-epochs/beta_vae/0",
        "dsprites_epochs_10/beta_vae/0",
        "dsprites_epochs_30-20-epochs/beta_vae/0",
    ]


def test_the_quick_study_trains_for_120_epochs_on_synth_nonlinear_or_fewer():
    def of(epochs):
        return select("quick", ["beta_vae"], ["synth_nonlinear"], [3], epochs)

    assert list(map(str, of(None))) == ["synth_nonlinear-120-epochs/beta_vae/3"]
    assert of(600) == of(None) and (of(None)[0].model_num, of(None)[0].shortened_to) == (403, 120)
    assert list(map(str, of(5))) == ["synth_nonlinear-5-epochs/beta_vae/3"]
    assert of(5)[0].experiment.data.title == "Synth. Non-Lin., batch 64 (5 of 600 epochs)"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (("slow",), "Unknown study 'slow'; known: quick, synthetic, mnist, dsprites, full"),
        (("quick", ["vea"]), "Unknown model 'vea'; known: beta_vae, autoenc"),
        (("quick", None, ["cars"]), "Unknown data set 'cars'; known: synth_linear, s"),
        (("quick", None, None, [100]), "Seed 100 is not between 0 and 99"),
        (("quick", ["vae"], ["synth_linear"]), "none of these models"),
        (("quick", None, None, None, 0), "--epochs 0: at least one"),
    ],
)
def test_a_selection_of_what_is_not_there_names_what_is(selection, message):
    with pytest.raises(InputError, match=message):
        select(*selection)
