# SPDX-License-Identifier: Apache-2.0
"""Which experiments a study has, with how many seeds; needs neither TensorFlow nor dlib."""

from collections.abc import Collection, Iterable, Mapping

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import (
    EXPERIMENTS,
    SEEDS_PER_EXPERIMENT,
    Experiment,
    Run,
    dial_experiment,
)

# Experiment -> planned number of seeds.
Plan = Mapping[Experiment, int]

_TABLE_1 = {
    experiment: 10
    for data in experiments.TABLE_VARIANTS
    for experiment in experiments.table_1_experiments(data)
}
_TABLE_2 = {one: 10 for one in EXPERIMENTS if one.data in experiments.COMPARED_VARIANTS}
_FIGURE_4 = dict.fromkeys(map(experiments.figure_4_experiment, experiments.FIGURE_4_EPOCHS), 10)
_SUPPLEMENT_C = {
    **{
        experiments.beta_experiment(data, beta): 5
        for data in experiments.TABLE_VARIANTS
        for beta in experiments.SWEPT_BETAS.get(data, ())
    },
    **dict.fromkeys(map(experiments.axis_ratio_experiment, experiments.AXIS_RATIOS), 5),
}
_DIAL = {
    experiment: 10 if data.has_factors else 3
    for data, models in experiments.DIAL_VARIANTS.items()
    for experiment in (
        *(dial_experiment(data, weight) for weight in experiments.DIAL),
        *(Experiment(data, model) for model in models),
    )
}
_LIMITS = {
    experiment: 5
    for data in experiments.LIMITS_VARIANTS
    for experiment in experiments.limits_experiments(data)
}
_FULL = {**_SUPPLEMENT_C, **_TABLE_1, **_TABLE_2, **_FIGURE_4}


def _on(*data_sets: str) -> Plan:
    return {one: seeds for one, seeds in _FULL.items() if one.data.data_set in data_sets}


# STUDY_DESCRIPTIONS in run/command.py says what they are.
STUDIES: dict[str, Plan] = {
    "quick": {
        **{one: 1 if one.data == experiments.MNIST_SHORT else 5 for one in EXPERIMENTS[:10]},
        **{dial_experiment(experiments.SYNTH_LINEAR_64, weight): 3 for weight in (0.0, 1.0, 4.0)},
        **{one: 3 for one in _LIMITS if one.data.name == "synth_linear_angle_45"},
    },
    "synthetic": _on("synth_linear", "synth_nonlinear"),
    "mnist": _on("mnist", "fashion_mnist"),
    "dsprites": _on("dsprites"),
    "full": _FULL,
    "table_1": _TABLE_1,
    "table_2": _TABLE_2,
    "figure_4": _FIGURE_4,
    "supplement_c": _SUPPLEMENT_C,
    "dial": _DIAL,
    "limits": _LIMITS,
}

# Study -> data variant -> epochs that are fewer than planned. After 120 epochs, a β-VAE's DtO on Synth. Non-Lin.
# changes by 0.02 (docs/study.md); all 600 would take twice the time of everything else in the quick study.
_FEWER_EPOCHS = {"quick": {experiments.SYNTH_NONLINEAR_64: 120}}


def plan_of(study: str) -> Plan:
    """The study's experiments and planned seeds, in the order of EXPERIMENTS; an InputError without such a study."""
    _check("study", [study], STUDIES)
    plan = STUDIES[study]
    return {experiment: plan[experiment] for experiment in EXPERIMENTS if experiment in plan}


def select(
    study: str,
    models: Collection[str] | None = None,
    variants: Collection[str] | None = None,
    seeds: Iterable[int] | None = None,
    epochs: int | None = None,
) -> list[Run]:
    """Runs of a study; an argument that is None selects everything that the study has.

    Args:
        study, models, variants: names.
        seeds: 0 to SEEDS_PER_EXPERIMENT - 1, also seeds that the study does not plan.
        epochs: runs that train longer are shortened to this number; None: as long as the study trains.

    Raises:
        InputError: a name is none of the study's, a number is out of range, or nothing is selected.
    """
    plan = plan_of(study)
    selected = list(plan)
    if models is not None:
        _check("model", models, {experiment.model: None for experiment in plan})
        selected = [experiment for experiment in selected if experiment.model in models]
    if variants is not None:
        _check("data set", variants, {experiment.data.name: None for experiment in plan})
        selected = [experiment for experiment in selected if experiment.data.name in variants]
    if not selected:
        raise InputError(
            f"Study {study!r} has none of these models on these data sets; "
            f"`vae_ortho_study --study {study} --list` prints what it has."
        )
    seeds = sorted(set(seeds)) if seeds is not None else None
    for seed in seeds or ():
        if not 0 <= seed < SEEDS_PER_EXPERIMENT:
            raise InputError(f"Seed {seed} is not between 0 and {SEEDS_PER_EXPERIMENT - 1}.")
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs {epochs}: at least one epoch.")
    fewer = _FEWER_EPOCHS.get(study, {})
    return [
        Run(experiment.shortened(epochs).shortened(fewer.get(experiment.data)), seed)
        for experiment in selected
        for seed in (range(plan[experiment]) if seeds is None else seeds)
    ]


def _check(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"Unknown {kind} {name!r}; known: {', '.join(known)}.")
