# SPDX-License-Identifier: Apache-2.0
"""Whether our models have the order that the paper's DtO gives them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES

# Two means of the paper's DtO that are closer count as equal.
APART = 0.05
# Verdict on a pair -> what it makes of the order of its data set. The first one that a data set has counts.
_OF_DATA_SET = {
    "reversed": "**not the paper's order**",
    "missing": "incomplete",
    "undecided": "the paper's order where our seeds decide",
    "holds": "the paper's order",
}


class Comparison(NamedTuple):
    """The DtO of two models that the paper's DtO tells apart.

    Attributes:
        data: title of the data.
        verdict: 'missing' without a run of each, 'undecided' (Welch's t-test has p above 5 %, or there is a
            single run, which has no spread to test with), 'holds' or 'reversed'.
        text: the models and their DtO, the paper's lower one first.
    """

    data: str
    verdict: str
    text: str


def compare_order(dto: pd.DataFrame) -> list[Comparison]:
    """Pairs of a data variant's models whose DtO, from `tables.numbers`, differ by APART or more in the paper."""
    found = []
    for pair in itertools.combinations(dto.dropna(subset="paper_mean").itertuples(), 2):
        lower, higher = sorted(pair, key=lambda number: number.paper_mean)
        data = lower.experiment.data
        if data == higher.experiment.data and higher.paper_mean - lower.paper_mean >= APART:
            found.append(Comparison(data.title, *_verdict_and_text(lower, higher)))
    return found


def _verdict_and_text(lower, higher) -> tuple[str, str]:
    names = [MODEL_TITLES[one.experiment.model] for one in (lower, higher)]
    if not (lower.n and higher.n):
        return "missing", " < ".join(names) + ": missing"
    p, end = np.nan, ""
    if min(lower.n, higher.n) > 1:
        sides = [number for one in (lower, higher) for number in (one.mean, one.sd, one.n)]
        with np.errstate(divide="ignore", invalid="ignore"):  # no spread in either
            p = stats.ttest_ind_from_stats(*sides, equal_var=False).pvalue
        end = f", p = {p:.2f}"
    verdict, sign = "undecided", "?"
    if p < 0.05:
        end = ""
        verdict, sign = ("holds", "<") if lower.mean < higher.mean else ("reversed", ">")
    return verdict, f"{names[0]} {lower.mean:.2f} {sign} {names[1]} {higher.mean:.2f}{end}"


def order_to_markdown(comparisons: Sequence[Comparison]) -> str:
    """A line for each data variant: what speaks for or against the paper's order, and the pairs."""
    lines = []
    for data, group in itertools.groupby(comparisons, lambda pair: pair.data):
        pairs = list(group)
        verdicts = {pair.verdict for pair in pairs}
        found = next(text for verdict, text in _OF_DATA_SET.items() if verdict in verdicts)
        lines.append(f"- {data}: {found} ({'; '.join(pair.text for pair in pairs)})")
    return "\n".join(lines)
