# SPDX-License-Identifier: Apache-2.0
"""The study as disentanglement_lib sees it."""

from pathlib import Path

import gin
import pytest
from disentanglement_lib.config import reproduce
from disentanglement_lib.methods.unsupervised import train  # noqa: F401, registers the models

from vae_ortho_plugin.errors import InputError
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
    try:
        gin.parse_config_files_and_bindings([model_file], bindings)
        return gin.get_bindings(configurable)
    finally:
        gin.clear_config()


def test_every_experiment_is_a_configuration_that_gin_accepts():
    for experiment in EXPERIMENTS:
        _, model_file = STUDY.get_model_config(Run(experiment, 7).model_num)
        assert Path(model_file).stem == experiment.model
        assert parameters(STUDY, experiment, "model")["random_seed"] == 7
        name = parameters(STUDY, experiment, "dataset")["name"]
        assert name.removesuffix("_full") == experiment.data.data_set


@pytest.mark.parametrize(
    ("experiment", "steps"),
    [
        (Experiment(experiments.MNIST_SHORT, "vae"), 5 * 56_000 / 64),
        (experiments.figure_4_experiment(10), 10 * 589_824 / 64),
        (experiments.figure_4_experiment(50), 50 * 589_824 / 64),
        (Experiment(experiments.MNIST, "random_decoder"), 0),
    ],
)
def test_a_row_trains_its_epochs(experiment, steps):
    assert parameters(STUDY, experiment, "model")["training_steps"] == steps


def test_a_shortened_study_trains_fewer_epochs_and_nothing_longer():
    study = VaePcaV1(epochs=20)
    mnist, short = Experiment(experiments.MNIST, "vae"), Experiment(experiments.MNIST_SHORT, "vae")
    assert parameters(study, mnist, "model")["training_steps"] == 20 * 56_000 / 64
    assert parameters(study, short, "model")["training_steps"] == 5 * 56_000 / 64


@pytest.mark.parametrize(
    ("data", "batch_size", "steps"),
    [
        (experiments.SYNTH_LINEAR, 16, 1_500_000),
        (experiments.SYNTH_NONLINEAR_64, 64, 375_000),
        (data_variants.with_10_latents(experiments.SYNTH_LINEAR_64), 64, 375_000),
        (data_variants.with_orthogonality(experiments.SYNTH_LINEAR_64, 4.0), 64, 375_000),
    ],
)
def test_larger_batches_make_fewer_steps_of_as_many_epochs(data, batch_size, steps):
    model = "linearized_vae" if "lambda" in data.name else "beta_vae"
    found = parameters(STUDY, Experiment(data, model), "model")
    assert (found["batch_size"], found["training_steps"]) == (batch_size, steps)
    shortened = parameters(VaePcaV1(epochs=6), Experiment(data, model), "model")
    assert shortened["training_steps"] == steps / 100


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


_TRAINED = ["dto", "ima_contrast"]
_POSTERIOR = ["loss_decomposition", "precision_gap"]


@pytest.mark.parametrize(
    ("data", "model", "metrics"),
    [
        (
            experiments.SYNTH_LINEAR,
            "beta_vae",
            ["score", *_TRAINED, *_POSTERIOR, "pca_alignment", "pca_score"],
        ),
        (
            experiments.SYNTH_LINEAR,
            "autoencoder",
            ["score", *_TRAINED, "pca_alignment", "pca_score"],
        ),
        (experiments.SYNTH_NONLINEAR, "random_decoder", ["score", "dto"]),
        # 10 latents, 3 outputs
        (data_variants.with_10_latents(experiments.SYNTH_LINEAR), "beta_vae", ["score"]),
        (experiments.MNIST, "vae", [*_TRAINED, *_POSTERIOR]),
        (experiments.MNIST, "autoencoder", _TRAINED),
    ],
)
def test_the_metrics_are_those_that_suit_the_model_asked_for_last(data, model, metrics):
    STUDY.get_model_config(Run(Experiment(data, model), 0).model_num)
    found = [name.removeprefix("disentanglement_") for name in names(STUDY.get_eval_config_files())]
    assert found == metrics
    assert names(STUDY.get_postprocess_config_files()) == ["mean"]


def test_what_is_defined_for_a_model_is_measured_while_it_trains():
    vae, autoencoder, untrained = (
        Experiment(experiments.MNIST, model) for model in ("vae", "autoencoder", "random_decoder")
    )
    ten_of_three = Experiment(data_variants.with_10_latents(experiments.SYNTH_LINEAR), "beta_vae")
    polarized = {"every": 500, "num_points": 1000}
    dto = {"every": 5000, "num_points": 1000}
    for experiment, *expected in (
        (vae, polarized, dto),
        (autoencoder, {}, dto),
        (untrained, {}, {}),
        (ten_of_three, polarized, {}),
    ):
        trackers = ("polarized_regime", "dto_while_training")
        assert [parameters(STUDY, experiment, name) for name in trackers] == expected


def test_the_configuration_can_be_printed(capsys):
    STUDY.print_model_config(3)
    assert "model.random_seed = 3" in capsys.readouterr().out.splitlines()


def test_a_model_number_out_of_range_is_refused():
    with pytest.raises(InputError, match="it has 0 to"):
        STUDY.get_model_config(len(EXPERIMENTS) * 100)
