# SPDX-License-Identifier: Apache-2.0
"""The experiments of study `vae_pca_v1` and the model numbers of their runs; needs neither TensorFlow nor dlib.

An experiment is a model on a variant of a data set. Run `seed` of experiment number e has model
number 100 e + seed. Published results name these numbers: add experiments to the end of EXPERIMENTS,
never in between.
"""

from dataclasses import dataclass

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.data_variants import (
    DataVariant,
    changed,
    full_epochs,
    own_beta,
    with_10_latents,
    with_beta,
    with_epochs,
    with_orthogonality,
)

SEEDS_PER_EXPERIMENT = 100


@dataclass(frozen=True)
class Experiment:
    """A model, by the stem of its file in gin_configs, on a variant of a data set."""

    data: DataVariant
    model: str

    @property
    def as_planned(self) -> "Experiment":
        """The experiment that the study plans."""
        return Experiment(self.data.as_planned, self.model)

    def shortened(self, epochs: int | None) -> "Experiment":
        """The experiment trained for at most this number of epochs; None: for its own number."""
        return Experiment(self.data.shortened(epochs), self.model)


@dataclass(frozen=True)
class Run:
    """An experiment with a seed."""

    experiment: Experiment
    seed: int

    @property
    def data_set(self) -> str:
        """Stem of its data set's file in gin_configs/datasets."""
        return self.experiment.data.data_set

    @property
    def model_num(self) -> int:
        """Its number in dlib's study; a shortened run has the number of the full run."""
        number = EXPERIMENTS.index(self.experiment.as_planned)
        return number * SEEDS_PER_EXPERIMENT + self.seed

    @property
    def shortened_to(self) -> int | None:
        """Epochs of a run that is shorter than planned; None where it is not."""
        data = self.experiment.data
        return data.epochs if data.epochs < data.as_planned.epochs else None

    def __str__(self) -> str:
        return f"{self.experiment.data.name}/{self.experiment.model}/{self.seed}"


def _paper_data(
    data_set: str, title: str, name: str = "", batch_size: int | None = None
) -> DataVariant:
    return DataVariant(
        name or data_set, title, data_set, full_epochs(data_set), batch_size=batch_size
    )


# The paper does not give its batch size. Ours, 16, is that of the data sets' files: more of the paper's numbers agree
# with it than with dlib's 64 (docs/notes/protocols.md). With 64, a training run has a quarter of the steps. The names
# without a size are those of 64, because results were published with them.
SYNTH_LINEAR = _paper_data("synth_linear", "Synth. Lin.", "synth_linear_batch_16")
SYNTH_NONLINEAR = _paper_data("synth_nonlinear", "Synth. Non-Lin.", "synth_nonlinear_batch_16")
SYNTH_LINEAR_64 = _paper_data("synth_linear", "Synth. Lin., batch 64", batch_size=64)
SYNTH_NONLINEAR_64 = _paper_data("synth_nonlinear", "Synth. Non-Lin., batch 64", batch_size=64)
MNIST = _paper_data("mnist", "MNIST")
FASHION_MNIST = _paper_data("fashion_mnist", "Fashion-MNIST")
DSPRITES = _paper_data("dsprites", "dSprites")
MNIST_SHORT = DataVariant("mnist_short", "MNIST (short: 5 of 400 epochs)", "mnist", epochs=5)

MODEL_TITLES = {
    "beta_vae": "β-VAE",
    "vae": "VAE",
    "autoencoder": "AE",
    "beta_vae_sigma": "β-VAE_Σ",
    "polarized_vae": "polarized KL",
    "linearized_vae": "linearized",
    "random_decoder": "random decoder",
}

# Models whose latents are distributed and which are trained.
MODELS_WITH_POSTERIOR = ("beta_vae", "vae", "beta_vae_sigma", "polarized_vae", "linearized_vae")

# β of the sweeps of Suppl. C. The experiment with the data set's own β is its β-VAE, with 1 its VAE.
SWEPT_BETAS = {
    DSPRITES: (0.1, 0.3, 1.0, 2.0, 4.0, 10.0),
    **dict.fromkeys(
        (SYNTH_LINEAR, SYNTH_NONLINEAR, SYNTH_LINEAR_64, SYNTH_NONLINEAR_64),
        (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    ),
}
AXIS_RATIOS = (1.0, 1.2, 1.5, 2.0)
# λ of the linearized VAE.
DIAL = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0)
FIGURE_4_EPOCHS = (10, 30, 50)


def beta_experiment(data: DataVariant, value: float) -> Experiment:
    """The β-VAE with this β."""
    if value == own_beta(data.data_set):
        return Experiment(data, "beta_vae")
    if value == 1:
        return Experiment(data, "vae")
    return Experiment(with_beta(data, value), "beta_vae")


def axis_ratio_experiment(ratio: float, data: DataVariant = SYNTH_LINEAR) -> Experiment:
    """The β-VAE on Synth. Lin. with this ratio of the axes; the paper's is 2."""
    binding = f"synth_linear.axis_ratio = {ratio}"
    other = changed(data, f"axis_ratio_{ratio}", f"axis ratio {ratio}", binding)
    return Experiment(data if ratio == 2 else other, "beta_vae")


def figure_4_experiment(number: int) -> Experiment:
    """The β-VAE on dSprites with this number of epochs."""
    data = DSPRITES if number == DSPRITES.epochs else with_epochs(DSPRITES, number)
    return Experiment(data, "beta_vae")


def table_1_experiments(data: DataVariant) -> tuple[Experiment, Experiment]:
    """The β-VAEs with the data's own number of latents and with 10; the VAEs where β is 1."""
    model = "vae" if own_beta(data.data_set) == 1 else "beta_vae"
    return Experiment(data, model), Experiment(with_10_latents(data), model)


MNIST_20 = with_epochs(MNIST, 20)
FASHION_MNIST_20 = with_epochs(FASHION_MNIST, 20)
# Data of the dial, with the sampled models that it is compared with.
DIAL_VARIANTS = {
    data: ("beta_vae" if data.has_factors else "vae", "autoencoder", "beta_vae_sigma")
    for data in (SYNTH_LINEAR_64, SYNTH_NONLINEAR_64, MNIST_20, FASHION_MNIST_20)
}


def dial_experiment(data: DataVariant, weight: float) -> Experiment:
    """The linearized VAE with this λ."""
    return Experiment(with_orthogonality(data, weight), "linearized_vae")


# Suffix of the data's name, their title and what they bind.
_OF_LIMITS = (
    *((f"angle_{x}", f"factors at {x}°", f"factor_angle = {x}") for x in (15, 30, 45)),
    *((f"correlation_{x}", f"correlation {x}", f"correlation = {x}") for x in (0.5, 0.9)),
    ("held_out", "a corner held out", "held_out = 0.5"),
)
# Data whose factors are more or less the principal directions; the first one is the paper's.
LIMITS_VARIANTS = (
    SYNTH_LINEAR_64,
    *(
        changed(SYNTH_LINEAR_64, suffix, title, f"synth_linear.{binding}")
        for suffix, title, binding in _OF_LIMITS
    ),
    *(axis_ratio_experiment(ratio, SYNTH_LINEAR_64).data for ratio in AXIS_RATIOS[:3]),
)


def limits_experiments(data: DataVariant) -> tuple[Experiment, ...]:
    """The experiments on data of LIMITS_VARIANTS: three sampled models, and the linearized one with λ = 1."""
    models = ("beta_vae", "beta_vae_sigma", "autoencoder")
    return (*(Experiment(data, model) for model in models), dial_experiment(data, 1.0))


# The paper's data sets, in the order of its tables.
TABLE_VARIANTS = (DSPRITES, SYNTH_LINEAR, SYNTH_NONLINEAR, MNIST, FASHION_MNIST)
# The synthetic sets with larger batches.
BATCH_64_VARIANTS = (SYNTH_LINEAR_64, SYNTH_NONLINEAR_64)
# Data whose numbers stand beside the paper's.
COMPARED_VARIANTS = (*TABLE_VARIANTS, *BATCH_64_VARIANTS)
# Data with rows of their own in the report's tables.
SHOWN_VARIANTS = (*COMPARED_VARIANTS, MNIST_SHORT)

_SYNTHETIC_MODELS = ("beta_vae", "autoencoder", "beta_vae_sigma", "random_decoder")
_IMAGE_MODELS = ("vae", "autoencoder", "beta_vae_sigma", "polarized_vae", "random_decoder")


def _with_models(data: DataVariant, *models: str) -> list[Experiment]:
    return [Experiment(data, model) for model in models]


EXPERIMENTS = (
    *_with_models(SYNTH_LINEAR_64, *_SYNTHETIC_MODELS),
    *_with_models(SYNTH_NONLINEAR_64, *_SYNTHETIC_MODELS),
    *_with_models(MNIST_SHORT, "vae", "autoencoder"),
    *_with_models(SYNTH_LINEAR_64, "vae", "polarized_vae"),
    *_with_models(SYNTH_NONLINEAR_64, "vae", "polarized_vae"),
    *_with_models(MNIST, *_IMAGE_MODELS),
    *_with_models(FASHION_MNIST, *_IMAGE_MODELS),
    *_with_models(DSPRITES, "beta_vae", *_IMAGE_MODELS),
    *(
        table_1_experiments(data)[1]
        for data in (DSPRITES, SYNTH_LINEAR_64, SYNTH_NONLINEAR_64, MNIST, FASHION_MNIST)
    ),
    *(figure_4_experiment(number) for number in (10, 30)),
    *(beta_experiment(DSPRITES, value) for value in (0.1, 0.3, 2.0, 10.0)),
    *(beta_experiment(SYNTH_LINEAR_64, value) for value in (1e-6, 1e-5, 1e-3, 1e-2, 1e-1)),
    *(beta_experiment(SYNTH_NONLINEAR_64, value) for value in (1e-6, 1e-5, 1e-4, 1e-2, 1e-1)),
    *(axis_ratio_experiment(ratio, SYNTH_LINEAR_64) for ratio in (1.0, 1.2, 1.5)),
    *_with_models(SYNTH_LINEAR, "beta_vae", "autoencoder", "beta_vae_sigma"),
    *(dial_experiment(data, weight) for data in DIAL_VARIANTS for weight in DIAL),
    *_with_models(MNIST_20, *DIAL_VARIANTS[MNIST_20]),
    *_with_models(FASHION_MNIST_20, *DIAL_VARIANTS[FASHION_MNIST_20]),
    *_with_models(SYNTH_LINEAR, "random_decoder", "vae", "polarized_vae"),
    *_with_models(SYNTH_NONLINEAR, *_SYNTHETIC_MODELS, "vae", "polarized_vae"),
    *(table_1_experiments(data)[1] for data in (SYNTH_LINEAR, SYNTH_NONLINEAR)),
    *(beta_experiment(SYNTH_LINEAR, value) for value in (1e-6, 1e-5, 1e-3, 1e-2, 1e-1)),
    *(beta_experiment(SYNTH_NONLINEAR, value) for value in (1e-6, 1e-5, 1e-4, 1e-2, 1e-1)),
    *(axis_ratio_experiment(ratio) for ratio in (1.0, 1.2, 1.5)),
    Experiment(DSPRITES, "linearized_vae"),
    *(
        experiment
        for data in LIMITS_VARIANTS[1:]
        for experiment in limits_experiments(data)
        if experiment.model != "beta_vae" or "axis_ratio" not in data.name  # has a number above
    ),
)


def run_of(model_num: int) -> Run:
    """The run with this model number; an InputError where no experiment has it."""
    highest = len(EXPERIMENTS) * SEEDS_PER_EXPERIMENT - 1
    if not 0 <= model_num <= highest:
        raise InputError(
            f"Study vae_pca_v1 has no model_num {model_num}; it has 0 to {highest}, that is "
            f"{SEEDS_PER_EXPERIMENT} seeds for each of {len(EXPERIMENTS)} experiments. "
            "`vae_ortho_study --list` prints them."
        )
    return Run(EXPERIMENTS[model_num // SEEDS_PER_EXPERIMENT], model_num % SEEDS_PER_EXPERIMENT)
