# SPDX-License-Identifier: Apache-2.0
"""The study as disentanglement_lib sees it."""

from pathlib import Path

import gin
import pytest
from disentanglement_lib.config import reproduce
from disentanglement_lib.methods.unsupervised import train  # noqa: F401, registers the models
from training_fixtures import fresh_gin  # noqa: F401

from vae_ortho_plugin.study.plan import data_variants, experiments
from vae_ortho_plugin.study.plan.dlib_study import STUDY, VaePcaV1
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS, Experiment, Run


def names(paths):
    return [Path(path).stem for path in paths]


def test_dlib_knows_the_study():
    assert reproduce.STUDIES["vae_pca_v1"] is STUDY


def parameters(study, experiment, configurable):
    bindings, model_file = study.get_model_config(Run(experiment, 7).model_num)
    gin.clear_config()
    gin.parse_config_files_and_bindings([model_file], bindings)
    return gin.get_bindings(configurable)


def test_every_experiment_is_a_configuration_that_gin_accepts():
    for experiment in EXPERIMENTS:
        _, model_file = STUDY.get_model_config(Run(experiment, 7).model_num)
        assert Path(model_file).stem == experiment.model
        assert parameters(STUDY, experiment, "model")["random_seed"] == 7
        name = parameters(STUDY, experiment, "dataset")["name"]
        assert name.removesuffix("_full") == experiment.data.data_set


def of(data, model="beta_vae"):
    return Experiment(data, model)


@pytest.mark.parametrize(
    ("experiment", "epochs", "batch_size", "steps"),
    [
        (of(experiments.MNIST_SHORT, "vae"), None, 64, 5 * 56_000 / 64),
        (of(experiments.MNIST_SHORT, "vae"), 20, 64, 5 * 56_000 / 64),
        (of(experiments.MNIST, "vae"), 20, 64, 20 * 56_000 / 64),
        (of(experiments.MNIST, "random_decoder"), None, 64, 0),
        (experiments.figure_4_experiment(10), None, 64, 10 * 589_824 / 64),
        (experiments.figure_4_experiment(50), None, 64, 50 * 589_824 / 64),
        # Larger batches make fewer steps of as many epochs.
        (of(experiments.SYNTH_LINEAR), None, 16, 1_500_000),
        (of(experiments.SYNTH_LINEAR), 6, 16, 15_000),
        (of(experiments.SYNTH_NONLINEAR_64), None, 64, 375_000),
        (of(data_variants.with_10_latents(experiments.SYNTH_LINEAR_64)), 6, 64, 3750),
        (experiments.dial_experiment(experiments.SYNTH_LINEAR_64, 4.0), None, 64, 375_000),
    ],
)
def test_an_experiment_trains_its_epochs_and_a_shortened_one_no_more(
    experiment, epochs, batch_size, steps
):
    found = parameters(VaePcaV1(epochs), experiment, "model")
    assert (found["batch_size"], found["training_steps"]) == (batch_size, steps)


def test_variants_differ_in_the_one_parameter_that_they_are_named_after():
    sweep = [experiments.beta_experiment(experiments.DSPRITES, value) for value in (0.3, 2.0, 4.0)]
    betas = [parameters(STUDY, experiment, "vae")["beta"] for experiment in sweep]
    assert betas == [0.3, 2.0, 4.0]
    for variant in experiments.TABLE_VARIANTS:
        own, ten = (
            parameters(STUDY, experiment, "encoder")["num_latent"]
            for experiment in experiments.table_1_experiments(variant)
        )
        assert own < ten == 10
    ratios = [
        parameters(STUDY, experiments.axis_ratio_experiment(ratio), "synth_linear").get(
            "axis_ratio", 2.0
        )
        for ratio in experiments.AXIS_RATIOS
    ]
    assert ratios == [1.0, 1.2, 1.5, 2.0]
    limits = {
        data.name: parameters(STUDY, experiments.limits_experiments(data)[-1], "synth_linear")
        for data in experiments.LIMITS_VARIANTS
    }
    assert limits["synth_linear_angle_45"] == {"factor_angle": 45}
    assert limits["synth_linear_correlation_0.5"] == {"correlation": 0.5}
    assert limits["synth_linear_held_out"] == {"held_out": 0.5}
    assert limits["synth_linear_axis_ratio_1.5"] == {"axis_ratio": 1.5}


TRAINED = ["dto", "ima_contrast"]
POSTERIOR = ["loss_decomposition", "precision_gap"]
PCA = ["pca_alignment", "pca_score"]
TEN_OF_THREE = data_variants.with_10_latents(experiments.SYNTH_LINEAR)  # latents of outputs


@pytest.mark.parametrize(
    ("experiment", "metrics", "trackers"),
    [
        (of(experiments.SYNTH_LINEAR), ["score", *TRAINED, *POSTERIOR, *PCA], [500, 5000]),
        (of(experiments.SYNTH_LINEAR, "autoencoder"), ["score", *TRAINED, *PCA], [None, 5000]),
        (of(experiments.SYNTH_NONLINEAR, "random_decoder"), ["score", "dto"], [None, None]),
        (of(TEN_OF_THREE), ["score"], [500, None]),
        (of(experiments.MNIST, "vae"), [*TRAINED, *POSTERIOR], [500, 5000]),
        (of(experiments.MNIST, "autoencoder"), TRAINED, [None, 5000]),
    ],
)
def test_the_metrics_are_those_that_suit_the_model_asked_for_last_and_so_are_the_trackers(
    experiment, metrics, trackers
):
    STUDY.get_model_config(Run(experiment, 0).model_num)
    found = [name.removeprefix("disentanglement_") for name in names(STUDY.get_eval_config_files())]
    assert found == metrics
    assert names(STUDY.get_postprocess_config_files()) == ["mean"]
    every = [
        parameters(STUDY, experiment, name).get("every")
        for name in ("polarized_regime", "dto_while_training")
    ]
    assert every == trackers


def test_the_configuration_can_be_printed(capsys):
    STUDY.print_model_config(3)
    assert "model.random_seed = 3" in capsys.readouterr().out.splitlines()
