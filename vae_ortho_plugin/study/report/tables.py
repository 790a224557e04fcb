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


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    """n, mean, sample standard deviation and 95 % confidence interval of the mean, by Student's t.

    None stands for what so few values do not have: no value has a mean, one value no deviation.
    """
    n = len(values)
    found = dict.fromkeys(("mean", "sd", "interval_low", "interval_high")) | {"n": n}
    if n:
        found["mean"] = mean = statistics.mean(values)
    if n > 1:
        found["sd"] = sd = statistics.stdev(values)
        half = float(stats.t.ppf(0.975, n - 1) * sd / n**0.5)
        found |= {"interval_low": mean - half, "interval_high": mean + half}
    return found


def text(mean: float, sd: float | None, form: str) -> str:
    """Such as '0.33 ± 0.18' or '0.33 (one seed)'."""
    return f"{mean:{form}} " + ("(one seed)" if sd is None else f"± {sd:{form}}")


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


# Columns of CSV files.
_CSV = [
    *("row", "data_set", "remarks", "epochs", "model", "measure", "n", "planned"),
    *("mean", "sd", "interval_low", "interval_high", "paper_mean", "paper_sd"),
]


def numbers(
    results: Results, experiments: Iterable[Experiment], columns: Sequence[Column]
) -> pd.DataFrame:
    """What the finished runs of each experiment give, beside the paper's: a row for each number, by experiment.

    Besides the columns of CSV files, it has `experiment`, `column`, `paper` (a Target or None) and `is_defined`:
    whether the experiment's data have what the number needs.
    """
    found = []
    for experiment in experiments:
        data = experiment.data
        for column in columns:
            paper = column.paper and column.paper(experiment)
            row = {
                "experiment": experiment,
                "column": column,
                "paper": paper,
                "is_defined": data.has_factors or column.name != SCORE.name,
                "row": data.name,
                "data_set": data.data_set,
                "remarks": "; ".join(data.remarks),
                "epochs": data.epochs,
                "model": experiment.model,
                "measure": column.name,
                "planned": results.plan[experiment],
                "paper_mean": paper and paper.mean,
                "paper_sd": paper and paper.sd,
            }
            found.append(row | summary(results.values(experiment, column.get)))
    # As objects, because a column of whole numbers stays one where some are missing.
    columns = ["experiment", "column", "paper", "is_defined", *_CSV]
    return pd.DataFrame(found, columns=columns, dtype=object)


def mark(number: pd.Series) -> str:
    """✓ where the paper's mean lies in our interval, as exactly as the paper prints it, ✗ where not.

    Empty where one of them is missing or our runs are shorter than the paper's; "(too few)" where we have
    too few values: the interval of two is so wide that it holds nearly any mean.
    """
    at_full_length = number["experiment"].data.at_full_length
    if number["paper"] is None or not number["n"] or not at_full_length:
        return ""
    if number["n"] < LEAST_VALUES:
        return "(too few)"
    interval = number["interval_low"], number["interval_high"]
    return "✓" if number["paper"].agrees_with(*interval) else "✗"


def _cells(number: pd.Series) -> list[str]:
    """A text for each of the column's headings."""
    form, paper = number["column"].form, number["paper"]
    mean = text(number["mean"], number["sd"], form) if number["n"] else "missing"
    low, high = number["interval_low"], number["interval_high"]
    cells = [
        mean if number["is_defined"] else "no factors",
        "–" if low is None else f"{low:{form}} to {high:{form}}",
        "–" if paper is None else f"{paper.text(form)} {mark(number)}".rstrip(),
    ]
    return cells[: len(number["column"].headings)]


@dataclass(frozen=True)
class Table:
    """A table of the report, by the name of its files: the texts that a reader sees, and the numbers for CSV."""

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


def table(
    name: str,
    found: pd.DataFrame,
    labels: Mapping[str, Callable[[Experiment], str]] | None = None,
    **facts: Callable[[Experiment], object],
) -> Table:
    """The table of what `numbers` gives, at least one: a row an experiment.

    Args:
        name: of its files.
        found: the numbers.
        labels: columns before the numbers, heading -> text of an experiment; None: data set and model, which
            has a † where the paper has no number for the first column.
        facts: columns of the CSV file before the others.
    """
    compared = found["column"].iloc[0].paper or (lambda experiment: True)
    labels = labels or {
        "data set": lambda one: one.data.title,
        "model": lambda one: MODEL_TITLES[one.model] + " †" * (not compared(one)),
    }
    lines = []
    for experiment, of_experiment in found.groupby("experiment", sort=False):
        n, planned = of_experiment.iloc[0][["n", "planned"]]
        count = str(n) if n >= planned else f"{n} of {planned}"
        cells = [cell for _, number in of_experiment.iterrows() for cell in _cells(number)]
        lines.append([*(label(experiment) for label in labels.values()), count, *cells])
    headings = [heading for column in found["column"].unique() for heading in column.headings]
    csv = found[found["is_defined"].astype(bool)]
    of_facts = {fact: csv["experiment"].map(get) for fact, get in facts.items()}
    csv = pd.DataFrame({**of_facts, **csv[_CSV]})
    return Table(name, pd.DataFrame(lines, columns=[*labels, "n", *headings]), csv)
