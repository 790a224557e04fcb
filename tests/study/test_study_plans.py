# SPDX-License-Identifier: Apache-2.0
"""Which runs a study name and the selections of the command line stand for."""

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS
from vae_ortho_plugin.study.plan.plans import STUDIES, plan_of, select


def test_the_quick_study_has_five_seeds_of_the_synthetic_sets_the_dial_and_turned_factors():
    runs = [run for run in select("quick") if run.experiment.data != experiments.MNIST_SHORT]
    assert {run.seed for run in runs} == set(range(5))
    dial = [run for run in runs if run.experiment.model == "linearized_vae"]
    assert len(set(runs) - set(dial)) == len(runs) - len(dial) == 40 + 15
    turned = {run.experiment.model for run in runs if "angle_45" in run.experiment.data.name}
    assert turned == {"beta_vae", "beta_vae_sigma", "autoencoder"}
    assert {run.experiment.data.name for run in dial} == {
        f"synth_linear_lambda_{weight}" for weight in (0, 1, 4)
    }
    assert len(dial) == 15


def test_the_dial_has_seven_weights_beside_three_models_on_four_data_sets():
    plan = plan_of("dial")
    assert len(plan) == 4 * (7 + 3)
    assert {seeds for experiment, seeds in plan.items() if experiment.data.has_factors} == {10}
    assert {
        (seeds, experiment.data.epochs)
        for experiment, seeds in plan.items()
        if not experiment.data.has_factors
    } == {(3, 20)}


def test_the_limits_are_four_models_on_ten_data_sets():
    plan = plan_of("limits")
    assert len(plan) == 4 * 10 and set(plan.values()) == {5}
    assert len({experiment.data.name for experiment in plan}) == 2 * 10  # λ is in the name


def test_every_cell_is_in_some_study_and_the_parts_make_the_whole():
    # With batches of 64, sweeps of β and 10 latents are in no study: their numbers were published.
    planned = {experiment for study in STUDIES for experiment in plan_of(study)}
    unplanned = set(EXPERIMENTS) - planned
    assert planned <= set(EXPERIMENTS)
    assert {experiment.data.batch_size for experiment in unplanned} == {64}
    assert {one.data.name.split("_")[2] for one in unplanned} == {"latents", "beta"}
    parts = [plan_of(name) for name in ("synthetic", "mnist", "dsprites")]
    assert {experiment for part in parts for experiment in part} == set(plan_of("full"))
    for name in ("table_1", "table_2", "figure_4", "supplement_c"):
        assert set(plan_of(name)) <= set(plan_of("full"))


def test_published_tables_have_ten_seeds_and_the_supplements_five():
    assert set(plan_of("table_1").values()) == set(plan_of("table_2").values()) == {10}
    assert set(plan_of("supplement_c").values()) == {5}
    full = plan_of("full")
    assert full[experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-4)] == 10
    assert full[experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-3)] == 5


def test_a_selection_is_the_product_of_its_parts():
    runs = select("quick", models=["autoencoder"], variants=["synth_nonlinear"], seeds=[7, 0, 7])
    assert [str(run) for run in runs] == [
        "synth_nonlinear/autoencoder/0",
        "synth_nonlinear/autoencoder/7",
    ]


def test_epochs_shorten_what_trains_longer():
    runs = select("figure_4", seeds=[0], epochs=20)
    assert [str(run) for run in runs] == [
        "dsprites-20-epochs/beta_vae/0",
        "dsprites_epochs_10/beta_vae/0",
        "dsprites_epochs_30-20-epochs/beta_vae/0",
    ]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"study": "slow"}, "Unknown study 'slow'; known: quick, synthetic, mnist, dsprites, full"),
        ({"study": "quick", "models": ["vea"]}, "Unknown model 'vea'; known: beta_vae, autoenc"),
        (
            {"study": "quick", "variants": ["cars"]},
            "Unknown data set 'cars'; known: synth_linear, s",
        ),
        ({"study": "quick", "seeds": [100]}, "Seed 100 is not between 0 and 99"),
        (
            {"study": "quick", "models": ["vae"], "variants": ["synth_linear"]},
            "none of these models",
        ),
        ({"study": "quick", "epochs": 0}, "--epochs 0: at least one"),
    ],
)
def test_a_selection_of_what_is_not_there_names_what_is(selection, message):
    with pytest.raises(InputError, match=message):
        select(**selection)
