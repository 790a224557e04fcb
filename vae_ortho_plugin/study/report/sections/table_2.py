# SPDX-License-Identifier: Apache-2.0
"""Table 2: DtO and disentanglement of each model on each data set."""

from vae_ortho_plugin.study.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import entries, statistics
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry


def section(results: Results) -> Section | None:
    experiments = results.experiments(variants=SHOWN_VARIANTS)
    if not experiments:
        return None
    found = entries.dto_and_score(results, experiments)
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


def _table(found: list[Entry]) -> Table:
    rows = []
    for dto in found:
        if dto.measure != "dto":
            continue
        score = [
            other for other in found if other.experiment == dto.experiment and other is not dto
        ]
        rows.append(
            [
                *entries.name_columns(dto.experiment, ours_alone=dto.paper is None),
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
