# SPDX-License-Identifier: Apache-2.0
"""Table 2: DtO and disentanglement of each model on each data set."""

from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from vae_ortho_plugin.study.plan.experiments import COMPARED_VARIANTS, SHOWN_VARIANTS, Experiment
from vae_ortho_plugin.study.report import order, tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column, Table

COLUMNS = [tables.of_table_2(DTO), tables.of_table_2(SCORE)]


class RandomMatrix(NamedTuple):
    """DtO of `number` matrices, outputs x latents, of independent U(0, 1) entries."""

    outputs: int
    latents: int
    mean: float
    sd: float
    number: int


# Data set -> matrices of the size of its Jacobians.
RANDOM_MATRICES = {
    "synth_linear": RandomMatrix(3, 2, 0.801, 0.219, 20_000),
    "synth_nonlinear": RandomMatrix(6, 2, 0.890, 0.151, 20_000),
    "dsprites": RandomMatrix(4096, 5, 1.861, 0.116, 2_000),
    "mnist": RandomMatrix(784, 6, 2.109, 0.114, 6_000),
    "fashion_mnist": RandomMatrix(784, 6, 2.109, 0.114, 6_000),
}
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
_ORDER = (
    f"Pairs of models whose mean DtO differ by {order.APART} or more in the paper. `?`: our seeds "
    "do not tell the two apart (Welch's t-test, p above 5 %)."
)


def section(results: Results) -> Section | None:
    experiments = results.experiments(SHOWN_VARIANTS)
    if not experiments:
        return None
    numbers = tables.numbers(results, experiments, COLUMNS)
    notes = [_EQUAL] if any(_is_arbitrary(results, one) for one in experiments) else []
    notes += [_RANDOM] if any(map(_has_random_matrix, experiments)) else []
    comparisons = order.compare_order(numbers[numbers["measure"] == DTO.name])
    table = _table(results, experiments, numbers)
    blocks = [_TEXT, tables.LEGEND, table, *[" ".join(notes)] * bool(notes)]
    blocks += _headroom(results, experiments)
    if comparisons:
        blocks += ["### Order", _ORDER, order.order_to_markdown(comparisons)]
    return Section("Table 2: distance to orthogonality and disentanglement", blocks)


def _table(results: Results, experiments: list[Experiment], numbers: pd.DataFrame) -> Table:
    """The table with marks on arbitrary DtO, and with random matrices below random decoders."""
    table = tables.table("table_2", numbers)
    table.shown[DTO.title] += [" ‡" * _is_arbitrary(results, one) for one in experiments]
    for place, experiment in enumerate(experiments):
        if _has_random_matrix(experiment):
            table.shown.loc[place + 0.5] = _random_matrix(experiment)
    return replace(table, shown=table.shown.sort_index())


def _is_arbitrary(results: Results, experiment: Experiment) -> bool:
    shares = results.values(experiment, lambda item: item.metric("dto", "nearly_equal_share"))
    return bool(shares) and sum(shares) / len(shares) >= _MARKED_FROM


def _has_random_matrix(experiment: Experiment) -> bool:
    return experiment.model == "random_decoder" and experiment.data.as_planned in COMPARED_VARIANTS


def _random_matrix(decoder: Experiment) -> list[str]:
    """The line of random matrices below that of a random decoder."""
    matrix = RANDOM_MATRICES[decoder.data.data_set]
    dto = [f"{matrix.mean:.2f} ± {matrix.sd:.2f}", "–", COLUMNS[0].paper(decoder).text()]
    return [decoder.data.title, "random matrix, U(0,1)", f"{matrix.number:,}", *dto, *"–––"]


def _headroom_score(item: FinishedRun) -> float | None:
    """The score by the other normalizer, where a factor is categorical."""
    kinds = item.metric("disentanglement_score", "factor_kinds") or []
    score = item.metric("disentanglement_score", "headroom_score")
    return score if "categorical" in kinds else None


def _headroom(results: Results, experiments: list[Experiment]) -> list[str | Table]:
    """Both normalizers of the score, where a factor is categorical."""
    columns = [
        SCORE._replace(title="Disent. as in the paper ↑"),
        Column("headroom_score", "by what can be predicted ↑", _headroom_score),
    ]
    experiments = [one for one in experiments if results.values(one, _headroom_score)]
    if not experiments:
        return []
    table = tables.table("headroom", tables.numbers(results, experiments, columns))
    return ["### Another normalizer of the score", _HEADROOM, table]
