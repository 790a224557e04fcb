# SPDX-License-Identifier: Apache-2.0
"""Tables of our numbers over seeds, beside the paper's: a row an experiment, a column a number of its runs."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.paper_targets import Target, target
from vae_ortho_plugin.study.report.results import Results

# The least number of values whose mean is compared with the paper's.
LEAST_VALUES = 3
LEGEND = (
    "In the tables: mean ± standard deviation over n seeds; “95 %”: the 95 % confidence interval of the "
    "mean, by Student's t; “paper”: the paper's number, whose number of restarts it does not give. ✓: the "
    "paper's mean lies in our interval; ✗: it does not; too few: we have fewer than three runs; no mark: "
    "our runs are shorter than the paper's. †: not in the paper, ours alone."
)

# Characters of the tables that LaTeX needs as commands.
_COMMANDS = (
    *(r"$\beta$", r"$\lambda$", r"$\Sigma$", r"$\Delta$", r"$\sigma$", r"$\pm$", "1/4", "1/2"),
    *(r"$\downarrow$", r"$\uparrow$", r"$^\circ$", r"$\in$", r"$\notin$", r"$\dagger$"),
    *(r"$\ddagger$", "$<$", "--", r"\%", r"\_", r"\&", r"\#"),
)
_LATEX = str.maketrans(dict(zip("βλΣΔσ±¼½↓↑°✓✗†‡<–%_&#", _COMMANDS, strict=True)))


class Summary(NamedTuple):
    """Mean and sample standard deviation (None for one value) of n values."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary | None":
        """The summary of values; None without any."""
        if not values:
            return None
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.mean(values), sd, len(values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean by Student's t; None for one value."""
        if self.sd is None:
            return None
        half = stats.t.ppf(0.975, self.n - 1) * self.sd / self.n**0.5
        return self.mean - float(half), self.mean + float(half)

    def text(self, form: str) -> str:
        """Such as '0.33 ± 0.18' or '0.33 (one seed)'."""
        return f"{self.mean:{form}} " + ("(one seed)" if self.sd is None else f"± {self.sd:{form}}")


class Column(NamedTuple):
    """A number of each run.

    Attributes:
        name: in CSV files.
        title: in tables and pictures.
        get: the number of a run; None where it has none.
        form: of the number, as for `format`.
        paper: the paper's number for an experiment. With it, a table shows our interval and that number.
        with_interval: a table shows our interval.
    """

    name: str
    title: str
    get: Callable[[FinishedRun], float | None]
    form: str = ".2f"
    paper: Callable[[Experiment], Target | None] | None = None
    with_interval: bool = False

    @classmethod
    def of_metric(cls, metric: str, name: str, title: str, form: str = ".2f") -> "Column":
        """What a metric of dlib returns under `name`."""
        return cls(name, title, lambda item: item.metric(metric, name), form)

    @property
    def headings(self) -> list[str]:
        interval, paper = self.with_interval or bool(self.paper), bool(self.paper)
        return [self.title, *["95 %"] * interval, *["paper"] * paper]


DTO = Column.of_metric("dto", "dto", "DtO ↓")
SCORE = Column.of_metric("disentanglement_score", "disentanglement_score", "Disent. ↑")


def of_table_2(column: Column) -> Column:
    """The column beside the numbers of the paper's Table 2."""
    return column._replace(paper=lambda one: target(one.data.data_set, column.name, one.model))


class Entry(NamedTuple):
    """A cell: a number of an experiment's runs, over seeds.

    Attributes:
        ours: None where no run has the number.
        planned: number of seeds.
        paper: None where the paper does not report the number of this experiment.
    """

    experiment: Experiment
    column: Column
    ours: Summary | None
    planned: int
    paper: Target | None = None

    @property
    def is_defined(self) -> bool:
        """Whether the experiment's data have what the number needs."""
        return self.experiment.data.has_factors or self.column.name != SCORE.name

    @property
    def mark(self) -> str:
        """✓ where the paper's mean lies in our interval, as exactly as the paper prints it, ✗ where not.

        Empty where one of them is missing or our runs are shorter than the paper's; "(too few)" where we
        have too few values: the interval of two is so wide that it holds nearly any mean.
        """
        if not (self.paper and self.ours and self.experiment.data.at_full_length):
            return ""
        if self.ours.n < LEAST_VALUES:
            return "(too few)"
        return "✓" if self.paper.agrees_with(*self.ours.interval) else "✗"

    @property
    def count(self) -> str:
        """Such as '10' or '3 of 10'."""
        n = self.ours.n if self.ours else 0
        return str(n) if n >= self.planned else f"{n} of {self.planned}"

    def cells(self) -> list[str]:
        """A text for each of the column's headings."""
        form, low_high = self.column.form, self.ours and self.ours.interval
        mean = self.ours.text(form) if self.ours else "missing"
        interval = "{:{form}} to {:{form}}".format(*low_high, form=form) if low_high else "–"
        paper = f"{self.paper.text(form)} {self.mark}".rstrip() if self.paper else "–"
        cells = [mean if self.is_defined else "no factors", interval, paper]
        return cells[: len(self.column.headings)]

    def numbers(self) -> dict[str, object]:
        """The entry unrounded."""
        mean, sd, n = self.ours or (None, None, 0)
        low, high = (self.ours and self.ours.interval) or (None, None)
        paper_mean, paper_sd, _ = self.paper or (None, None, None)
        data = self.experiment.data
        return {
            "row": data.name,
            "data_set": data.data_set,
            "remarks": "; ".join(data.remarks),
            "epochs": data.epochs,
            "model": self.experiment.model,
            "measure": self.column.name,
            "n": n,
            "planned": self.planned,
            "mean": mean,
            "sd": sd,
            "interval_low": low,
            "interval_high": high,
            "paper_mean": paper_mean,
            "paper_sd": paper_sd,
        }


# A row of a table: an experiment's entry for each column.
Row = list[Entry]


def rows(
    results: Results,
    experiments: Iterable[Experiment],
    columns: Sequence[Column],
    with_missing: bool = True,
) -> list[Row]:
    """What the finished runs of each experiment give; `with_missing`: also where they give nothing."""
    found = [
        [
            Entry(
                experiment,
                column,
                Summary.of(results.values(experiment, column.get)),
                results.plan[experiment],
                column.paper and column.paper(experiment),
            )
            for column in columns
        ]
        for experiment in experiments
    ]
    return [row for row in found if with_missing or any(entry.ours for entry in row)]


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: of its files.
        shown: what a reader sees, texts.
        numbers: the same unrounded, for CSV.
    """

    name: str
    shown: pd.DataFrame
    numbers: pd.DataFrame

    def to_markdown(self) -> str:
        return markdown(self.shown.columns, self.shown.to_numpy())

    def to_latex(self) -> str:
        """A tabular environment that needs no package; ∈ and ∉ stand for the marks."""
        heading, *lines = (
            f"{' & '.join(text.translate(_LATEX) for text in line)} \\\\"
            for line in (self.shown.columns, *self.shown.to_numpy())
        )
        begin = rf"\begin{{tabular}}{{{'l' * len(self.shown.columns)}}}"
        return "\n".join(
            [begin, r"\hline", heading, r"\hline", *lines, r"\hline", r"\end{tabular}", ""]
        )

    def to_csv(self) -> str:
        return self.numbers.to_csv(index=False, lineterminator="\n")


def markdown(headings: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    headings = list(headings)
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *lines)
    )


def data_label(experiment: Experiment) -> str:
    return experiment.data.title


def model_label(experiment: Experiment, paper: Column | None = None) -> str:
    """The model, marked where the paper does not have it in this column."""
    return MODEL_TITLES[experiment.model] + " †" * bool(paper and not paper.paper(experiment))


def table(
    name: str,
    found: Sequence[Row],
    labels: Mapping[str, Callable[[Experiment], str]] | None = None,
    **facts: Callable[[Experiment], object],
) -> Table:
    """The table of some rows.

    Args:
        name: of its files.
        found: rows of the same columns, at least one.
        labels: columns before the numbers, heading -> text of an experiment; None: data set and model.
        facts: columns of the CSV file before the others.
    """
    labels = labels or {"data set": data_label, "model": model_label}
    headings = [heading for entry in found[0] for heading in entry.column.headings]
    lines = []
    for row in found:
        texts = [text(row[0].experiment) for text in labels.values()]
        lines.append([*texts, row[0].count, *(cell for entry in row for cell in entry.cells())])
    numbers = [
        {fact: get(entry.experiment) for fact, get in facts.items()} | entry.numbers()
        for row in found
        for entry in row
        if entry.is_defined
    ]
    # As objects, because a column of whole numbers stays one where some are missing.
    numbers = pd.DataFrame(numbers, dtype=object)
    return Table(name, pd.DataFrame(lines, columns=[*labels, "n", *headings]), numbers)
