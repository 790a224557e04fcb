# SPDX-License-Identifier: Apache-2.0
"""Table 2: DtO and disentanglement of each model on each data set."""

from vae_ortho_plugin.study.experiments import SHOWN_ROWS, Cell
from vae_ortho_plugin.study.report import entries, statistics
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_MEASURES = ("dto", "disentanglement_score")


def section(results: Results) -> Section | None:
    cells = results.cells(study_rows=SHOWN_ROWS)
    if not cells:
        return None
    found = entries_of(results, cells)
    comparisons = statistics.compare_order(found)
    order = [
        "### Order",
        (
            f"Pairs of models whose mean DtO differ by {statistics.APART} or more in the paper. `?`: our seeds "
            "do not tell the two apart (Welch's t-test, p above 5 %)."
        ),
        statistics.order_to_markdown(comparisons),
    ]
    return Section(
        "Table 2: distance to orthogonality and disentanglement",
        [
            (
                "On the test split (of dSprites, which disentanglement_lib does not split, on 10,000 "
                "samples). DtO: distance to orthogonality, 0 where the decoder's latents act along orthogonal "
                "directions. Disent.: disentanglement score, at most 1."
            ),
            _table(found),
            *(order if comparisons else []),
        ],
    )


def entries_of(results: Results, cells: list[Cell]) -> list[Entry]:
    """Every measure that the data allow, of each cell."""
    return [
        entries.entry(
            results,
            cell,
            measure,
            lambda item, measure=measure: item.metric(measure),
            target(cell.row.data_set, measure, cell.model),
        )
        for cell in cells
        for measure in _MEASURES
        if measure == "dto" or cell.row.has_factors
    ]


def _table(found: list[Entry]) -> Table:
    rows = []
    for dto in found:
        if dto.measure != "dto":
            continue
        score = [other for other in found if other.cell == dto.cell and other is not dto]
        rows.append(
            [
                *entries.name_columns(dto.cell, ours_alone=dto.paper is None),
                entries.count_column(dto),
                *entries.number_columns(dto),
                *(entries.number_columns(score[0]) if score else ["no factors", "–", "–"]),
            ]
        )
    return Table(
        "table_2",
        [
            "data set",
            "model",
            "n",
            "DtO ↓",
            "95 %",
            "paper",
            "Disent. ↑",
            "95 %",
            "paper",
        ],
        rows,
        [entries.record(entry) for entry in found],
    )
