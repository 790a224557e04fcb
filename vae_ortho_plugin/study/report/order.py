# SPDX-License-Identifier: Apache-2.0
"""Whether our models have the order that the paper's DtO gives them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report.tables import Entry, Summary

# Two means of the paper's DtO that are closer count as equal.
APART = 0.05


class Comparison(NamedTuple):
    """The DtO of two models that the paper's DtO tells apart, the paper's lower one first.

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

    def __str__(self) -> str:
        lower, higher = (MODEL_TITLES[one.experiment.model] for one in (self.lower, self.higher))
        if self.verdict == "missing":
            return f"{lower} < {higher}: missing"
        sign = {"holds": "<", "reversed": ">", "undecided": "?"}[self.verdict]
        text = f"{lower} {self.lower.ours.mean:.2f} {sign} {higher} {self.higher.ours.mean:.2f}"
        undecided = self.verdict == "undecided" and self.p is not None
        return f"{text}, p = {self.p:.2f}" if undecided else text


def compare_order(dto: Iterable[Entry]) -> list[Comparison]:
    """Pairs of a data variant's models whose DtO differ by at least APART in the paper."""
    comparisons = []
    for pair in itertools.combinations([entry for entry in dto if entry.paper], 2):
        lower, higher = sorted(pair, key=lambda entry: entry.paper.mean)
        apart = higher.paper.mean - lower.paper.mean >= APART
        if apart and lower.experiment.data == higher.experiment.data:
            comparisons.append(Comparison(lower, higher, _p_value(lower.ours, higher.ours)))
    return comparisons


def _p_value(first: Summary | None, second: Summary | None) -> float | None:
    if not (first and second) or first.sd is None or second.sd is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # no spread in either
        return float(stats.ttest_ind_from_stats(*first, *second, equal_var=False).pvalue)


def order_to_markdown(comparisons: Sequence[Comparison]) -> str:
    """A line for each data variant: what speaks for or against the paper's order, and the pairs."""
    lines = []
    for data, group in itertools.groupby(comparisons, lambda pair: pair.lower.experiment.data):
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
        lines.append(f"- {data.title}: {verdict} ({'; '.join(map(str, pairs))})")
    return "\n".join(lines)
