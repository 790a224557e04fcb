# SPDX-License-Identifier: Apache-2.0
"""Table 1: how much of training is in the polarized regime."""

from vae_ortho_plugin.study.experiments import (
    MNIST_SHORT,
    MODELS_WITH_POSTERIOR,
    SHOWN_ROWS,
    SYNTH_LINEAR_BATCH_16,
    TABLE_ROWS,
    Cell,
    table_1_cells,
    with_10_latents,
)
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.paper_targets import LATENTS, TABLE_1, Target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_ROWS = [variant for row in SHOWN_ROWS for variant in (row, with_10_latents(row))]
_TARGETS = {
    cell: target
    for row in TABLE_ROWS
    for cell, target in zip(table_1_cells(row), TABLE_1[row.data_set], strict=True)
} | {
    Cell(MNIST_SHORT, "vae"): TABLE_1["mnist"][0],
    Cell(SYNTH_LINEAR_BATCH_16, "beta_vae"): TABLE_1["synth_linear"][0],
}


def section(results: Results) -> Section | None:
    cells = [
        cell for cell in results.cells(study_rows=_ROWS) if cell.model in MODELS_WITH_POSTERIOR
    ]
    if not cells:
        return None
    found = [
        (
            entries.entry(results, cell, "share_below_3_percent", _share, _target(cell)),
            entries.entry(results, cell, "last_delta_kl", _last("delta_kl"), None),
            entries.entry(results, cell, "last_num_active", _last("num_active"), None),
        )
        for cell in cells
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
    cell = share.cell
    ten = cell.row.study_row in map(with_10_latents, TABLE_ROWS)
    return [
        *entries.name_columns(cell, ours_alone=share.paper is None),
        str(10 if ten else LATENTS[cell.row.data_set]),
        entries.count_column(share),
        *entries.number_columns(share, form=".1f"),
        entries.ours_text(delta, form=".2g"),
        entries.ours_text(active, form=".1f"),
    ]


def _target(cell: Cell) -> Target | None:
    return _TARGETS.get(cell.study_cell)


def _share(item: FinishedRun) -> float | None:
    return item.tracked("polarized_regime", "share_below_3_percent")


def _last(key: str):
    return lambda item: item.last_tracked("polarized_regime", key)
