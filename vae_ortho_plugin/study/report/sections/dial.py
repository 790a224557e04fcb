# SPDX-License-Identifier: Apache-2.0
"""The dial: the linearized VAE over its weight of orthogonality, beside the sampled models."""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import (
    DIAL,
    DIAL_VARIANTS,
    MODEL_TITLES,
    Experiment,
    dial_experiment,
)
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.model_styles import STYLES, model_title
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Picture, Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_WEIGHTS = {
    dial_experiment(data, weight): (data, weight) for data in DIAL_VARIANTS for weight in DIAL
}
_SAMPLED = {
    Experiment(data, model): data for data, models in DIAL_VARIANTS.items() for model in models
}
# DtO counts as reached where it stays below.
_REACHED = 0.05
_FRACTIONS = {0.25: "¼", 0.5: "½"}
_TEXT = (
    "linearized_vae is a β-VAE whose noise is integrated out. λ weighs the part of its loss that is 0 exactly "
    "where the decoder's columns are orthogonal: λ = 0 is β-VAE_Σ, λ = 1 is β-VAE, each without sampling noise. "
    f"Steps: until DtO stays below {_REACHED} to the end (the median over the seeds that get there), by "
    "measurements every 5,000 steps. IMA contrast: in the inner product of the loss, which the cross-entropy of "
    "images weighs by 1/(p(1 − p)) at each pixel. Squared error: of what is decoded from the posterior's mean, summed over "
    "the observation."
)


class _Series(NamedTuple):
    """A data set with everything that was trained on it.

    Attributes:
        data: its planned variant.
        title: with the remarks on its runs.
        dial: λ -> experiment, by λ.
        sampled: the other models' experiments.
    """

    data: DataVariant
    title: str
    dial: dict[float, Experiment]
    sampled: list[Experiment]


class _Measure(NamedTuple):
    """A column of the table and of the picture.

    Attributes:
        form: of a number, as for `format`.
        scale: of its axis.
        get: the value of a run.
    """

    name: str
    title: str
    form: str
    scale: str
    get: Callable[[FinishedRun], float | None]


def _contrast(item: FinishedRun) -> float | None:
    # For the squared error, by which data with factors are trained here, the two are equal.
    of_loss = not item.experiment.data.has_factors
    return item.metric("ima_contrast", "ima_contrast_of_loss" if of_loss else None)


def _squared_error(item: FinishedRun) -> float | None:
    # Nothing of an autoencoder is sampled, and on data with factors it is trained by the squared error.
    if item.experiment.model == "autoencoder" and item.experiment.data.has_factors:
        return item.training.get("reconstruction_loss")
    return item.metric("loss_decomposition", "deterministic_loss")


_MEASURES = (
    _Measure("dto", "DtO ↓", ".2g", "log", lambda item: item.metric("dto")),
    _Measure("ima_contrast", "IMA contrast ↓", ".2g", "log", _contrast),
    _Measure(
        "disentanglement_score",
        "Disent. ↑",
        ".2f",
        "linear",
        lambda item: item.metric("disentanglement_score"),
    ),
    _Measure("squared_error", "squared error ↓", ".2g", "log", _squared_error),
)


def section(results: Results) -> Section | None:
    found = [series for series in _all_series(results) if len(series.dial) > 1]
    if not found:
        return None
    blocks: list = [_TEXT]
    finished = [
        series for series in found if results.runs([*series.dial.values(), *series.sampled])
    ]
    if finished:
        blocks.append(Picture("dial", "Orthogonality over λ", _draw(results, finished)))
    return Section("The dial: orthogonality on request", [*blocks, _table(results, found)])


def _all_series(results: Results) -> list[_Series]:
    series: dict[tuple[DataVariant, tuple[str, ...]], _Series] = {}
    for experiment in results.experiments(planned={*_WEIGHTS, *_SAMPLED}):
        planned, remarks = experiment.as_planned, experiment.data.remarks
        data = _WEIGHTS[planned][0] if planned in _WEIGHTS else _SAMPLED[planned]
        title = data.plain_title + (f" ({', '.join(remarks)})" if remarks else "")
        one = series.setdefault((data, remarks), _Series(data, title, {}, []))
        if planned in _WEIGHTS:
            one.dial[_WEIGHTS[planned][1]] = experiment
        else:
            one.sampled.append(experiment)
    return [one._replace(dial=dict(sorted(one.dial.items()))) for one in series.values()]


def _entry(results: Results, experiment: Experiment, measure: _Measure) -> Entry:
    return entries.entry(results, experiment, measure.name, measure.get, None)


def _steps(item: FinishedRun) -> float | None:
    """Steps until DtO stays below _REACHED; None where it does not, or was not measured."""
    steps = item.tracked("dto_while_training", "steps") or []
    values = item.tracked("dto_while_training", "dto") or []
    reached = None
    for step, value in zip(reversed(steps), reversed(values), strict=True):
        if value >= _REACHED:
            break
        reached = step
    return reached


def _steps_text(results: Results, experiment: Experiment) -> str:
    """Such as '45,000 (9 of 10)'."""
    runs = results.runs([experiment])
    reached = sorted(results.values(experiment, _steps))
    if not reached:
        return f"– (0 of {len(runs)})"
    return f"{reached[(len(reached) - 1) // 2]:,} ({len(reached)} of {len(runs)})"


def _label(weight: float) -> str:
    return _FRACTIONS.get(weight, f"{weight:g}")


def _table(results: Results, found: list[_Series]) -> Table:
    rows, records = [], []
    for series in found:
        names = {experiment: f"λ = {_label(weight)}" for weight, experiment in series.dial.items()}
        names |= {experiment: MODEL_TITLES[experiment.model] for experiment in series.sampled}
        for experiment, name in names.items():
            line = [_entry(results, experiment, measure) for measure in _MEASURES]
            texts = [
                entries.ours_text(entry, measure.form)
                if entry.ours or series.data.has_factors or measure.name != "disentanglement_score"
                else "no factors"
                for entry, measure in zip(line, _MEASURES, strict=True)
            ]
            count = entries.count_column(line[0])
            rows.append([series.title, name, count, *texts, _steps_text(results, experiment)])
            weight = _WEIGHTS.get(experiment.as_planned, (None, None))[1]
            records += [{"orthogonality": weight, **entries.record(entry)} for entry in line]
    columns = ["data set", "model", "n", *(measure.title for measure in _MEASURES), "steps"]
    return Table("dial", columns, rows, records)


def _draw(results: Results, found: list[_Series]) -> Figure:
    figure = Figure(figsize=(3.6 * len(_MEASURES), 2.9 * len(found) + 0.4), layout="constrained")
    grid = figure.subplots(len(found), len(_MEASURES), squeeze=False)
    handles = {}
    for line, series in zip(grid, found, strict=True):
        for axes, measure in zip(line, _MEASURES, strict=True):
            handles |= _draw_panel(axes, results, series, measure)
            axes.set_ylabel(measure.title)
        line[0].set_title(series.title, loc="left")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_panel(axes: Axes, results: Results, series: _Series, measure: _Measure) -> dict:
    """Draws one measure; returns what it drew by the label for the legend."""
    drawn = {}
    for experiment in series.sampled:
        values = results.values(experiment, measure.get)
        if values:
            color = STYLES[experiment.model][0]
            label = f"{model_title(experiment.model)}, median"
            drawn[label] = axes.axhline(median(values), color=color, linestyle="--")
    color, marker = STYLES["linearized_vae"]
    medians = {}
    for place, experiment in enumerate(series.dial.values()):
        values = results.values(experiment, measure.get)
        if values:
            axes.scatter([place] * len(values), values, color=color, marker=marker, alpha=0.5, s=14)
            medians[place] = median(values)
    if medians:
        (line,) = axes.plot(medians.keys(), medians.values(), color=color)
        drawn["linearized, a mark a seed, and their median"] = line
    if not drawn:
        axes.set_axis_off()
        return {}
    axes.set_yscale(measure.scale)
    axes.set_xticks(range(len(series.dial)), [_label(weight) for weight in series.dial])
    axes.set_xlabel("λ")
    axes.grid(alpha=0.25)
    return drawn
