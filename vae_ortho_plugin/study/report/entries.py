# SPDX-License-Identifier: Apache-2.0
"""How a number of ours stands beside the paper's in a table."""

from collections.abc import Callable, Iterable

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.paper_targets import Target, target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.statistics import Entry, summarize

LEGEND = (
    "In the tables: mean ± standard deviation over n seeds; “95 %”: the 95 % confidence interval of the "
    "mean, by Student's t; “paper”: the paper's number, whose number of restarts it does not give. ✓: the "
    "paper's mean lies in our interval; ✗: it does not; too few: we have fewer "
    "than three runs; neither: ours are shorter than the paper's. †: not in the paper, ours alone."
)


def entry(
    results: Results,
    experiment: Experiment,
    measure: str,
    get: Callable[[FinishedRun], float | None],
    paper: Target | None,
) -> Entry:
    """Summarizes what `get` finds in the finished runs of `experiment`."""
    return Entry(
        experiment,
        measure,
        summarize(results.values(experiment, get)),
        results.plan[experiment],
        paper,
    )


def dto_and_score(results: Results, experiments: Iterable[Experiment]) -> list[Entry]:
    """DtO and, where the data have factors, the disentanglement score of each experiment."""
    return [
        entry(
            results,
            experiment,
            measure,
            lambda item, measure=measure: item.metric(measure),
            target(experiment.data.data_set, measure, experiment.model),
        )
        for experiment in experiments
        for measure in ("dto", "disentanglement_score")
        if measure == "dto" or experiment.data.has_factors
    ]


def name_columns(experiment: Experiment, ours_alone: bool) -> list[str]:
    return [experiment.data.title, MODEL_TITLES[experiment.model] + " †" * ours_alone]


def count_column(entry: Entry) -> str:
    """Such as '10' or '3 of 10'."""
    n = entry.ours.n if entry.ours else 0
    return str(n) if n >= entry.planned else f"{n} of {entry.planned}"


def number_columns(entry: Entry, form: str = ".2f") -> list[str]:
    """Ours, its interval, and the paper's with a mark; `form` as for `format`."""
    mark = {True: " ✓", False: " ✗", None: " (too few)" * entry.too_few}[entry.agrees]
    return [
        ours_text(entry, form),
        _interval_text(entry, form),
        _paper_text(entry, form) + mark,
    ]


def ours_text(entry: Entry, form: str = ".2f") -> str:
    """Such as '0.33 ± 0.18', '0.33 (one seed)', 'missing'."""
    if entry.ours is None:
        return "missing"
    mean, sd, _ = entry.ours
    if sd is None:
        return f"{mean:{form}} (one seed)"
    return f"{mean:{form}} ± {sd:{form}}"


def _interval_text(entry: Entry, form: str) -> str:
    if not (entry.ours and entry.ours.interval):
        return "–"
    low, high = entry.ours.interval
    return f"{low:{form}} to {high:{form}}"


def _paper_text(entry: Entry, form: str) -> str:
    if entry.paper is None:
        return "–"
    mean, sd, _ = entry.paper
    return f"{mean:{form}}" + (f" ± {sd:{form}}" if sd is not None else "")


def record(entry: Entry) -> dict[str, object]:
    """The entry unrounded."""
    mean, sd, n = entry.ours or (None, None, 0)
    low, high = (entry.ours and entry.ours.interval) or (None, None)
    paper_mean, paper_sd, _ = entry.paper or (None, None, None)
    data = entry.experiment.data
    return {
        "row": data.name,
        "data_set": data.data_set,
        "remarks": "; ".join(data.remarks),
        "epochs": data.epochs,
        "model": entry.experiment.model,
        "measure": entry.measure,
        "n": n,
        "planned": entry.planned,
        "mean": mean,
        "sd": sd,
        "interval_low": low,
        "interval_high": high,
        "paper_mean": paper_mean,
        "paper_sd": paper_sd,
    }
