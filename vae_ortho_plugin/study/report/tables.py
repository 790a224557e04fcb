# SPDX-License-Identifier: Apache-2.0
"""Tables of our numbers over seeds, beside the paper's: a row an experiment, a column a number of its runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.paper_targets import Target, target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.statistics import LEAST_VALUES, Summary

LEGEND = (
    "In the tables: mean ± standard deviation over n seeds; “95 %”: the 95 % confidence interval of the "
    "mean, by Student's t; “paper”: the paper's number, whose number of restarts it does not give. ✓: the "
    "paper's mean lies in our interval; ✗: it does not; too few: we have fewer "
    "than three runs; neither: our runs are shorter than the paper's. †: not in the paper, ours alone."
)

# Characters of the tables that LaTeX needs as commands.
_LATEX = str.maketrans(
    {
        "β": r"$\beta$",
        "λ": r"$\lambda$",
        "¼": "1/4",
        "½": "1/2",
        "Σ": r"$\Sigma$",
        "Δ": r"$\Delta$",
        "σ": r"$\sigma$",
        "±": r"$\pm$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "✓": r"$\in$",
        "✗": r"$\notin$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
        "°": r"$^\circ$",
        "<": "$<$",
        "–": "--",
        "%": r"\%",
        "_": r"\_",
        "&": r"\&",
        "#": r"\#",
    }
)


class Column(NamedTuple):
    """A number of each run.

    Attributes:
        name: in CSV files.
        title: in tables and pictures.
        get: the number of a run; None where it has none.
        form: of the number, as for `format`.
        paper: the paper's number for an experiment. With it, a table shows our interval and the paper's
            number, too.
    """

    name: str
    title: str
    get: Callable[[FinishedRun], float | None]
    form: str = ".2f"
    paper: Callable[[Experiment], Target | None] | None = None

    @classmethod
    def of_metric(cls, metric: str, name: str, title: str, form: str = ".2f") -> "Column":
        """What a metric of dlib returns under `name`."""
        return cls(name, title, lambda item: item.metric(metric, name), form)


DTO = Column.of_metric("dto", "dto", "DtO ↓")
SCORE = Column.of_metric("disentanglement_score", "disentanglement_score", "Disent. ↑")


def of_table_2(column: Column) -> Column:
    """The column beside the numbers of the paper's Table 2."""

    def paper(experiment: Experiment) -> Target | None:
        return target(experiment.data.data_set, column.name, experiment.model)

    return column._replace(paper=paper)


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
    def agrees(self) -> bool | None:
        """Whether the paper's mean lies in our 95 % interval, as exactly as the paper prints it.

        None where one of them is missing, where our runs are shorter than the paper's, or where there are
        too few values: the interval of two is so wide that it holds nearly any mean.
        """
        if not self._is_comparable or self.too_few:
            return None
        return self.paper.agrees_with(*self.ours.interval)

    @property
    def too_few(self) -> bool:
        """Whether a comparison with the paper's mean fails for lack of values alone."""
        return self._is_comparable and self.ours.n < LEAST_VALUES

    @property
    def _is_comparable(self) -> bool:
        return bool(self.paper and self.ours and self.experiment.data.at_full_length)

    @property
    def count(self) -> str:
        """Such as '10' or '3 of 10'."""
        n = self.ours.n if self.ours else 0
        return str(n) if n >= self.planned else f"{n} of {self.planned}"

    def cells(self) -> list[str]:
        """Our mean; with numbers of the paper also our interval and the paper's mean with a mark."""
        if self.column.paper is None:
            return [self._mean()]
        low_high = self.ours and self.ours.interval
        interval = (
            "{:{form}} to {:{form}}".format(*low_high, form=self.column.form) if low_high else "–"
        )
        mark = {True: " ✓", False: " ✗", None: " (too few)" * self.too_few}[self.agrees]
        paper = "–" if self.paper is None else self.paper.text(self.column.form) + mark
        return [self._mean(), interval, paper]

    def _mean(self) -> str:
        if not self.is_defined:
            return "no factors"
        return self.ours.text(self.column.form) if self.ours else "missing"

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
        headings: of the columns.
        lines: what a reader sees, a text for each column.
        numbers: the same unrounded, for CSV.
    """

    name: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    numbers: pd.DataFrame

    def to_markdown(self) -> str:
        return markdown(self.headings, self.lines)

    def to_latex(self) -> str:
        """A tabular environment that needs no package; ∈ and ∉ stand for the marks."""
        heading, *lines = (
            f"{' & '.join(text.translate(_LATEX) for text in line)} \\\\"
            for line in (self.headings, *self.lines)
        )
        begin = rf"\begin{{tabular}}{{{'l' * len(self.headings)}}}"
        return "\n".join(
            [begin, r"\hline", heading, r"\hline", *lines, r"\hline", r"\end{tabular}", ""]
        )

    def to_csv(self) -> str:
        return self.numbers.to_csv(index=False, lineterminator="\n")


def markdown(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *lines)
    )


def data_label(experiment: Experiment) -> str:
    return experiment.data.title


def model_label(experiment: Experiment) -> str:
    return MODEL_TITLES[experiment.model]


def marked_model_label(experiment: Experiment, paper: Target | None) -> str:
    """The model, marked where the paper does not have it."""
    return model_label(experiment) + " †" * (paper is None)


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
    headings = [*labels, "n"]
    for entry in found[0]:
        headings += [entry.column.title, *(("95 %", "paper") if entry.column.paper else ())]
    lines = [
        [
            *(text(row[0].experiment) for text in labels.values()),
            row[0].count,
            *(cell for entry in row for cell in entry.cells()),
        ]
        for row in found
    ]
    numbers = [
        {fact: get(entry.experiment) for fact, get in facts.items()} | entry.numbers()
        for row in found
        for entry in row
        if entry.is_defined
    ]
    # As objects, because a column of whole numbers stays one where some are missing.
    return Table(name, headings, lines, pd.DataFrame(numbers, dtype=object))
