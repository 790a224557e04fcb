# SPDX-License-Identifier: Apache-2.0
"""Table 2: DtO and disentanglement of each model on each data set."""

from vae_ortho_plugin.study.plan.experiments import COMPARED_VARIANTS, SHOWN_VARIANTS, Experiment
from vae_ortho_plugin.study.report import entries, statistics
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.random_matrix import RANDOM_MATRICES
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

# Share of points with nearly equal singular values from which a DtO is marked.
_MARKED_FROM = 0.1
_TEXT = (
    "On the test split (of dSprites, which disentanglement_lib does not split, on 10,000 samples). DtO: "
    "distance to orthogonality, 0 where the decoder's latents act along orthogonal directions. Disent.: "
    "disentanglement score, at most 1."
)
_EQUAL = (
    "‡: at 10 % of the points or more, two neighbouring singular values of the Jacobian differ by less than "
    "5 %. There V, and DtO with it, is nearly arbitrary."
)
_RANDOM = (
    "“random matrix, U(0,1)”: matrices of independent entries of the size of the Jacobians, in n draws. That "
    "these are the paper's random decoders is our inference from its numbers."
)
_HEADROOM = (
    "The score of a categorical factor is divided by the accuracy of the best constant, as in the paper. Then "
    "a latent that knows class // 2 of ten equally frequent classes scores 1.0, and perfect knowledge of a "
    "factor with 90 % of one class scores 0.11. Divided by what a perfect predictor has above the constant, "
    "these are 0.44 and 1.0."
)


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
            _TEXT,
            _table(results, found),
            " ".join(_notes(results, experiments)),
            *_headroom(results, experiments),
            *(order if comparisons else []),
        ],
    )


def _table(results: Results, found: list[Entry]) -> Table:
    rows = []
    for dto in found:
        if dto.measure != "dto":
            continue
        score = [
            other for other in found if other.experiment == dto.experiment and other is not dto
        ]
        ours, *others = entries.number_columns(dto)
        rows.append(
            [
                *entries.name_columns(dto.experiment, ours_alone=dto.paper is None),
                entries.count_column(dto),
                ours + " ‡" * _is_arbitrary(results, dto.experiment),
                *others,
                *(entries.number_columns(score[0]) if score else ["no factors", "–", "–"]),
            ]
        )
        if _has_random_matrix(dto.experiment):
            rows.append(_random_matrix(dto))
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


def _notes(results: Results, experiments: list[Experiment]) -> list[str]:
    notes = [_EQUAL] if any(_is_arbitrary(results, one) for one in experiments) else []
    return notes + [_RANDOM] * any(map(_has_random_matrix, experiments))


def _is_arbitrary(results: Results, experiment: Experiment) -> bool:
    shares = results.values(experiment, lambda item: item.metric("dto", "nearly_equal_share"))
    return bool(shares) and sum(shares) / len(shares) >= _MARKED_FROM


def _has_random_matrix(experiment: Experiment) -> bool:
    return experiment.model == "random_decoder" and experiment.data.as_planned in COMPARED_VARIANTS


def _random_matrix(decoder: Entry) -> list[str]:
    """The line of random matrices below that of a random decoder."""
    matrix = RANDOM_MATRICES[decoder.experiment.data.data_set]
    return [
        decoder.experiment.data.title,
        "random matrix, U(0,1)",
        f"{matrix.number:,}",
        f"{matrix.mean:.2f} ± {matrix.sd:.2f}",
        "–",
        entries.number_columns(decoder._replace(ours=None))[2],
        *("–", "–", "–"),
    ]


def _headroom(results: Results, experiments: list[Experiment]) -> list[str | Table]:
    """Both normalizers of the score where a factor is categorical."""

    def of_both(item: FinishedRun) -> float | None:
        kinds = item.metric("disentanglement_score", "factor_kinds") or []
        return (
            item.metric("disentanglement_score", "headroom_score")
            if "categorical" in kinds
            else None
        )

    found = [
        [
            entries.entry(
                results,
                one,
                "disentanglement_score",
                lambda item: item.metric("disentanglement_score"),
                None,
            ),
            entries.entry(results, one, "headroom_score", of_both, None),
        ]
        for one in experiments
        if results.values(one, of_both)
    ]
    if not found:
        return []
    table = Table(
        "headroom",
        ["data set", "model", "n", "Disent. as in the paper ↑", "by what can be predicted ↑"],
        [
            [
                *entries.name_columns(pair[0].experiment, ours_alone=False),
                entries.count_column(pair[0]),
                *map(entries.ours_text, pair),
            ]
            for pair in found
        ],
        [entries.record(entry) for pair in found for entry in pair],
    )
    return ["### Another normalizer of the score", _HEADROOM, table]
