# SPDX-License-Identifier: Apache-2.0
"""Table 1: how much of training is in the polarized regime."""

from vae_ortho_plugin.study.plan import experiments as planned
from vae_ortho_plugin.study.plan.data_variants import data_set_bindings, with_10_latents
from vae_ortho_plugin.study.plan.experiments import COMPARED_VARIANTS, SHOWN_VARIANTS, Experiment
from vae_ortho_plugin.study.report import tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.paper_targets import TABLE_1
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.tables import Column

_WITH_10_LATENTS = {with_10_latents(data) for data in COMPARED_VARIANTS}
_TARGETS = {
    experiment: target
    for data in COMPARED_VARIANTS
    for experiment, target in zip(
        planned.table_1_experiments(data), TABLE_1[data.data_set], strict=True
    )
} | {Experiment(planned.MNIST_SHORT, "vae"): TABLE_1["mnist"][0]}
_TEXT = (
    "Percentage of training after which Δ_KL, the relative difference between the KL term and that of "
    "the polarized regime (Eq. 30), stays below 3 % to the end; evaluated every 500 steps. Of "
    "β-VAE_Σ, the KL term is that of the full covariance and the polarized one that of its diagonal."
)


def _last(key: str, title: str, form: str) -> Column:
    """The last value that the tracker of the polarized regime has."""
    return Column(
        f"last_{key}", title, lambda item: item.last_of_tracker("polarized_regime", key), form
    )


_SHARE = Column(
    "share_below_3_percent",
    "% of training",
    lambda item: item.of_tracker("polarized_regime", "share_below_3_percent"),
    ".1f",
    paper=lambda one: _TARGETS.get(one.as_planned),
)
_COLUMNS = [
    _SHARE,
    _last("delta_kl", "Δ_KL at the end", ".2g"),
    _last("num_active", "active latents", ".1f"),
]


def _latents(experiment: Experiment) -> str:
    data = experiment.data
    own = data_set_bindings(data.data_set)["encoder.num_latent"]
    return str(10 if data.as_planned in _WITH_10_LATENTS else own)


def section(results: Results) -> Section | None:
    experiments = [
        experiment
        for experiment in results.experiments({*SHOWN_VARIANTS, *_WITH_10_LATENTS})
        if experiment.model in planned.MODELS_WITH_POSTERIOR
    ]
    if not experiments:
        return None
    numbers = tables.numbers(results, experiments, _COLUMNS)
    table = tables.table("table_1", numbers)
    table.shown.insert(2, "latents", list(map(_latents, experiments)))
    return Section("Table 1: the polarized regime", [_TEXT, table])
