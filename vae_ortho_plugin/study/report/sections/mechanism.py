# SPDX-License-Identifier: Apache-2.0
"""Prop. 4 and Theorem 2 in the trained models: parts of the loss, and how far from the optimum."""

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table


def section(results: Results) -> Section | None:
    gaps = _table(
        results,
        "precision_gap",
        {
            "precision_gap_active": "gap ↓",
            "precision_gap_sigma_active": "of σ",
            "precision_gap_columns_active": "of the columns",
        },
    )
    losses = _table(
        results,
        "loss_decomposition",
        {
            "deterministic_loss": "deterministic",
            "stochastic_loss": "stochastic",
            "linearized_loss": "linearized",
            "linearization_error": "difference",
        },
    )
    blocks: list = []
    if gaps:
        blocks += [
            "### Precision gap",
            (
                "Logarithm of the stochastic loss over the least at the same precision (Eqs. 17 to 28), in nats, "
                "among the active latents, mean over the test points. It is the sum of what better variances σ² "
                "(Sec. 4.1) and what orthogonal columns of the decoder (Sec. 4.2) would gain; 0 is the optimum. Of "
                "β-VAE_Σ it takes the diagonal."
            ),
            gaps,
        ]
    if losses:
        blocks += [
            "### Loss decomposition",
            (
                "The squared error as a deterministic (Eq. 13) and a stochastic part (Eq. 14), the latter by "
                "sampling and linearized (Eq. 17), with their difference; a mean over the test points each."
            ),
            losses,
        ]
    return Section("The mechanism at work", blocks) if blocks else None


def _table(results: Results, metric: str, measures: dict[str, str]) -> Table | None:
    found = [
        [entries.entry(results, experiment, key, _get(metric, key), None) for key in measures]
        for experiment in results.experiments(variants=SHOWN_VARIANTS)
    ]
    found = [line for line in found if any(entry.ours for entry in line)]
    if not found:
        return None
    return Table(
        metric,
        ["data set", "model", "n", *measures.values()],
        [
            [
                *entries.name_columns(line[0].experiment, ours_alone=False),
                entries.count_column(line[0]),
                *(entries.ours_text(entry, form=".3g") for entry in line),
            ]
            for line in found
        ],
        [entries.record(entry) for line in found for entry in line],
    )


def _get(metric: str, key: str):
    def get(item: FinishedRun) -> float | None:
        return item.metric(metric, key)

    return get
