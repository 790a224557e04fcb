# SPDX-License-Identifier: Apache-2.0
"""The numbers of the report, ours beside the paper's: pure functions of values over seeds."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.report.paper_targets import Target

# Two means of the paper's DtO that are closer count as equal.
APART = 0.05
# Of a mean that is compared with the paper's.
LEAST_VALUES = 3


class Summary(NamedTuple):
    """Mean and sample standard deviation (None for one value) of n values."""

    mean: float
    sd: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean by Student's t; None for one value."""
        if self.sd is None:
            return None
        half = stats.t.ppf(0.975, self.n - 1) * self.sd / self.n**0.5
        return self.mean - float(half), self.mean + float(half)


class Entry(NamedTuple):
    """A measure of a experiment: ours, of how many planned seeds, and the paper's; None where missing.

    The paper's is None, too, where it does not report this experiment.
    """

    experiment: Experiment
    measure: str
    ours: Summary | None
    planned: int
    paper: Target | None

    @property
    def agrees(self) -> bool | None:
        """Whether the paper's mean, as exactly as it is printed, lies in our 95 % interval.

        None where one of them is missing, where ours trained shorter than the paper's, or where there are
        too few values: the interval of two is so wide that it holds nearly any mean.
        """
        if not self._is_comparable or self.too_few:
            return None
        low, high = self.ours.interval
        return abs(self.paper.mean - (low + high) / 2) <= (high - low) / 2 + self.paper.rounding

    @property
    def too_few(self) -> bool:
        """Whether a comparison with the paper's mean fails for lack of values alone."""
        return self._is_comparable and self.ours.n < LEAST_VALUES

    @property
    def _is_comparable(self) -> bool:
        return bool(self.paper and self.ours and self.experiment.data.at_full_length)


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


def compare_order(entries: Iterable[Entry]) -> list[Comparison]:
    """Pairs of a variant's models whose DtO differ by at least APART in the paper."""
    dto = [entry for entry in entries if entry.measure == "dto" and entry.paper]
    comparisons = []
    for pair in itertools.combinations(dto, 2):
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
    """Per variant, a line that says what speaks for or against the paper's order, and the pairs."""
    lines = []
    for variant, group in itertools.groupby(
        comparisons, key=lambda pair: pair.lower.experiment.data
    ):
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
        lines.append(f"- {variant.title}: {verdict} ({'; '.join(map(_pair_text, pairs))})")
    return "\n".join(lines)


def _pair_text(pair: Comparison) -> str:
    lower, higher = (MODEL_TITLES[entry.experiment.model] for entry in (pair.lower, pair.higher))
    if pair.verdict == "missing":
        return f"{lower} < {higher}: missing"
    sign = {"holds": "<", "reversed": ">", "undecided": "?"}[pair.verdict]
    text = f"{lower} {pair.lower.ours.mean:.2f} {sign} {higher} {pair.higher.ours.mean:.2f}"
    return text if pair.p is None or pair.verdict != "undecided" else f"{text}, p = {pair.p:.2f}"
