# SPDX-License-Identifier: Apache-2.0
"""Table 1: how much of training is in the polarized regime."""

from vae_ortho_plugin.study.plan.data_variants import with_10_latents
from vae_ortho_plugin.study.plan.experiments import (
    COMPARED_VARIANTS,
    MNIST_SHORT,
    MODELS_WITH_POSTERIOR,
    SHOWN_VARIANTS,
    Experiment,
    table_1_experiments,
)
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.paper_targets import LATENTS, TABLE_1, Target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_VARIANTS = [
    variant for variant in SHOWN_VARIANTS for variant in (variant, with_10_latents(variant))
]
_TARGETS = {
    experiment: target
    for variant in COMPARED_VARIANTS
    for experiment, target in zip(
        table_1_experiments(variant), TABLE_1[variant.data_set], strict=True
    )
} | {Experiment(MNIST_SHORT, "vae"): TABLE_1["mnist"][0]}


def section(results: Results) -> Section | None:
    experiments = [
        experiment
        for experiment in results.experiments(variants=_VARIANTS)
        if experiment.model in MODELS_WITH_POSTERIOR
    ]
    if not experiments:
        return None
    found = [
        (
            entries.entry(
                results, experiment, "share_below_3_percent", _share, _target(experiment)
            ),
            entries.entry(results, experiment, "last_delta_kl", _last("delta_kl"), None),
            entries.entry(results, experiment, "last_num_active", _last("num_active"), None),
        )
        for experiment in experiments
    ]
    return Section(
        "Table 1: the polarized regime",
        [
            (
                "Percentage of training after which Δ_KL, the relative difference between the KL term and that of "
                "the polarized regime (Eq. 30), stays below 3 % to the end; evaluated every 500 steps. Of "
                "β-VAE_Σ, the KL term is that of the full covariance and the polarized one that of its diagonal."
            ),
            Table(
                "table_1",
                [
                    *(
                        "data set",
                        "model",
                        "latents",
                        "n",
                        "% of training",
                        "95 %",
                        "paper",
                    ),
                    *("Δ_KL at the end", "active latents"),
                ],
                [_columns(*line) for line in found],
                [entries.record(entry) for line in found for entry in line],
            ),
        ],
    )


def _columns(share: Entry, delta: Entry, active: Entry) -> list[str]:
    experiment = share.experiment
    ten = experiment.data.as_planned in map(with_10_latents, COMPARED_VARIANTS)
    return [
        *entries.name_columns(experiment, ours_alone=share.paper is None),
        str(10 if ten else LATENTS[experiment.data.data_set]),
        entries.count_column(share),
        *entries.number_columns(share, form=".1f"),
        entries.ours_text(delta, form=".2g"),
        entries.ours_text(active, form=".1f"),
    ]


def _target(experiment: Experiment) -> Target | None:
    return _TARGETS.get(experiment.as_planned)


def _share(item: FinishedRun) -> float | None:
    return item.tracked("polarized_regime", "share_below_3_percent")


def _last(key: str):
    return lambda item: item.last_tracked("polarized_regime", key)
