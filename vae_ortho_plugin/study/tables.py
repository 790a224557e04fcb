# SPDX-License-Identifier: Apache-2.0
"""The numbers of the report: pure functions of finished runs, beside the paper's Table 2."""

import csv
import io
import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_ind_from_stats

from vae_ortho_plugin.study.cells import MODEL_TITLES, Cell
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.paper_targets import Target, target

MEASURES = ("dto", "disentanglement_score")

# Two means of the paper's DtO that are closer count as equal.
APART = 0.05


class Summary(NamedTuple):
    """Mean and sample standard deviation (None for one value) of n values."""

    mean: float
    sd: float | None
    n: int


class Entry(NamedTuple):
    """A measure of a cell: ours, of how many planned seeds, and the paper's; None where missing."""

    cell: Cell
    measure: str
    ours: Summary | None
    planned: int
    paper: Target | None


class Comparison(NamedTuple):
    """Two models that the paper's DtO tells apart, and what ours say.

    `p` is that of Welch's t-test for equal means: None while one has no finished run, and where one
    has a single run, which has no spread to test with.
    """

    lower: Entry
    higher: Entry
    p: float | None = None

    @property
    def verdict(self) -> str:
        """'missing', 'undecided' (p above 5 %, or a single run), 'holds' or 'reversed'."""
        if not (self.lower.ours and self.higher.ours):
            return "missing"
        if self.p is None or not self.p < 0.05:
            return "undecided"
        return "holds" if self.lower.ours.mean < self.higher.ours.mean else "reversed"


def summarize(values: Sequence[float]) -> Summary | None:
    if not values:
        return None
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Summary(statistics.mean(values), sd, len(values))


def table_2(finished: Iterable[FinishedRun], plan: Mapping[Cell, int]) -> list[Entry]:
    """Entries for every cell of `plan` and every measure that its data allow.

    Args:
        finished: the runs to summarize.
        plan: cell -> planned number of seeds.
    """
    values: dict[tuple[Cell, str], list[float]] = {}
    for item in finished:
        for measure, value in item.measures.items():
            values.setdefault((item.run.cell, measure), []).append(value)
    return [
        Entry(
            cell,
            measure,
            summarize(values.get((cell, measure), [])),
            planned,
            target(cell.row.data_set, measure, cell.model),
        )
        for cell, planned in plan.items()
        for measure in (MEASURES if cell.row.has_factors else MEASURES[:1])
    ]


def compare_order(entries: Iterable[Entry]) -> list[Comparison]:
    """Pairs of a row's models whose DtO differ by at least APART in the paper."""
    dto = [entry for entry in entries if entry.measure == "dto" and entry.paper]
    comparisons = []
    for pair in itertools.combinations(dto, 2):
        lower, higher = sorted(pair, key=lambda entry: entry.paper.mean)
        apart = higher.paper.mean - lower.paper.mean >= APART
        if apart and lower.cell.row == higher.cell.row:
            comparisons.append(Comparison(lower, higher, _p_value(lower.ours, higher.ours)))
    return comparisons


def ours_text(entry: Entry) -> str:
    """Such as '0.33 ± 0.18', '0.33 (one seed)', 'missing'."""
    if entry.ours is None:
        return "missing"
    mean, sd, _ = entry.ours
    return f"{mean:.2f} (one seed)" if sd is None else f"{mean:.2f} ± {sd:.2f}"


def paper_text(entry: Entry) -> str:
    return "–" if entry.paper is None else f"{entry.paper.mean:.2f} ± {entry.paper.sd:.2f}"


def to_markdown(entries: Sequence[Entry]) -> str:
    """Table with a line for each cell: both measures, ours beside the paper's."""
    lines = [
        "| data set | model | n | DtO ↓ | paper | Disent. ↑ | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell, group in itertools.groupby(entries, key=lambda entry: entry.cell):
        by_measure = {entry.measure: entry for entry in group}
        dto = by_measure["dto"]
        n = dto.ours.n if dto.ours else 0
        columns = [
            cell.row.title,
            MODEL_TITLES[cell.model],
            str(n) if n >= dto.planned else f"{n} of {dto.planned}",
        ]
        for measure in MEASURES:
            entry = by_measure.get(measure)
            columns += [ours_text(entry), paper_text(entry)] if entry else ["no factors", "–"]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def _p_value(first: Summary | None, second: Summary | None) -> float | None:
    if not (first and second) or first.sd is None or second.sd is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # no spread in either
        return float(ttest_ind_from_stats(*first, *second, equal_var=False).pvalue)


def order_to_markdown(comparisons: Sequence[Comparison]) -> str:
    """Per row, a line that says what speaks for or against the paper's order, and the pairs."""
    lines = []
    for row, group in itertools.groupby(comparisons, key=lambda pair: pair.lower.cell.row):
        pairs = list(group)
        verdicts = {pair.verdict for pair in pairs}
        if "reversed" in verdicts:
            verdict = "**not the paper's order**"
        elif "missing" in verdicts:
            verdict = "incomplete"
        elif "undecided" in verdicts:
            verdict = "the paper's order where our seeds decide"
        else:
            verdict = "the paper's order"
        lines.append(f"- {row.title}: {verdict} ({'; '.join(map(_pair_text, pairs))})")
    return "\n".join(lines)


def _pair_text(pair: Comparison) -> str:
    lower, higher = (MODEL_TITLES[entry.cell.model] for entry in (pair.lower, pair.higher))
    if pair.verdict == "missing":
        return f"{lower} < {higher}: missing"
    sign = {"holds": "<", "reversed": ">", "undecided": "?"}[pair.verdict]
    text = f"{lower} {pair.lower.ours.mean:.2f} {sign} {higher} {pair.higher.ours.mean:.2f}"
    return text if pair.p is None or pair.verdict != "undecided" else f"{text}, p = {pair.p:.2f}"


def to_csv(entries: Iterable[Entry]) -> str:
    """The same with a line for each measure of each cell and unrounded numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["row", "data_set", "model", "measure", "n", "planned", "mean", "sd", "paper_mean"]
        + ["paper_sd"]
    )
    for cell, measure, ours, planned, paper in entries:
        mean, sd, n = ours or (None, None, 0)
        writer.writerow(
            [cell.row.name, cell.row.data_set, cell.model, measure, n, planned, mean, sd]
            + list(paper or (None, None))
        )
    return text.getvalue()
