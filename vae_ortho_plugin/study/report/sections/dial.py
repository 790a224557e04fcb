# SPDX-License-Identifier: Apache-2.0
"""The dial: the linearized VAE over its weight of orthogonality, beside the sampled models."""

from dataclasses import replace
from statistics import median, median_low

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
from vae_ortho_plugin.study.report import pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.pictures import STYLES, model_title
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column, Table

# Planned experiment -> its data without the dial, and λ; None of a sampled model.
_WEIGHTS: dict[Experiment, tuple[DataVariant, float | None]] = {
    **{dial_experiment(data, weight): (data, weight) for data in DIAL_VARIANTS for weight in DIAL},
    **{
        Experiment(data, model): (data, None)
        for data, models in DIAL_VARIANTS.items()
        for model in models
    },
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


def _contrast(item: FinishedRun) -> float | None:
    # For the squared error, by which data with factors are trained here, the two are equal.
    of_loss = not item.experiment.data.has_factors
    return item.metric("ima_contrast", "ima_contrast_of_loss" if of_loss else None)


def _squared_error(item: FinishedRun) -> float | None:
    # Nothing of an autoencoder is sampled, and on data with factors it is trained by the squared error.
    if item.experiment.model == "autoencoder" and item.experiment.data.has_factors:
        return item.training.get("reconstruction_loss")
    return item.metric("loss_decomposition", "deterministic_loss")


_COLUMNS = (
    DTO._replace(form=".2g"),
    Column("ima_contrast", "IMA contrast ↓", _contrast, ".2g"),
    SCORE,
    Column("squared_error", "squared error ↓", _squared_error, ".2g"),
)


def section(results: Results) -> Section | None:
    found = _series(results)
    if not found:
        return None
    finished = {title: one for title, one in found.items() if results.runs(one)}
    picture = (
        [Picture("dial", "Orthogonality over λ", _draw(results, finished))] if finished else []
    )
    table = _table(results, [experiment for one in found.values() for experiment in one])
    return Section("The dial: orthogonality on request", [_TEXT, *picture, table])


def _weight(experiment: Experiment) -> float | None:
    return _WEIGHTS[experiment.as_planned][1]


def _title(experiment: Experiment) -> str:
    """Of the data without the dial, with the remarks on the experiment's runs."""
    return _WEIGHTS[experiment.as_planned][0].remarked_as(experiment.data).title


def _series(results: Results) -> dict[str, list[Experiment]]:
    """Title of data with two λ or more -> the linearized VAEs by λ, then the sampled models."""
    series: dict[str, list[Experiment]] = {}
    for experiment in results.experiments(planned=_WEIGHTS):
        series.setdefault(_title(experiment), []).append(experiment)
    for experiments in series.values():
        experiments.sort(key=lambda one: (_weight(one) is None, _weight(one) or 0))
    return {title: one for title, one in series.items() if len(_by_weight(one)) > 1}


def _by_weight(experiments: list[Experiment]) -> dict[float, Experiment]:
    weights = {_weight(experiment): experiment for experiment in experiments}
    return {weight: experiment for weight, experiment in weights.items() if weight is not None}


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
    reached = results.values(experiment, _steps)
    middle = f"{median_low(reached):,}" if reached else "–"
    return f"{middle} ({len(reached)} of {len(results.runs([experiment]))})"


def _label(weight: float) -> str:
    return _FRACTIONS.get(weight, f"{weight:g}")


def _model(experiment: Experiment) -> str:
    weight = _weight(experiment)
    return MODEL_TITLES[experiment.model] if weight is None else f"λ = {_label(weight)}"


def _table(results: Results, experiments: list[Experiment]) -> Table:
    rows = tables.rows(results, experiments, _COLUMNS)
    labels = {"data set": _title, "model": _model}
    table = tables.table("dial", rows, labels, orthogonality=_weight)
    steps = [_steps_text(results, experiment) for experiment in experiments]
    return replace(
        table,
        headings=[*table.headings, "steps"],
        lines=[[*line, text] for line, text in zip(table.lines, steps, strict=True)],
    )


def _draw(results: Results, found: dict[str, list[Experiment]]) -> Figure:
    figure = Figure(figsize=(3.6 * len(_COLUMNS), 2.9 * len(found) + 0.4), layout="constrained")
    grid = figure.subplots(len(found), len(_COLUMNS), squeeze=False)
    handles = {}
    for line, (title, experiments) in zip(grid, found.items(), strict=True):
        for axes, column in zip(line, _COLUMNS, strict=True):
            handles |= _draw_panel(axes, results, experiments, column)
        line[0].set_title(title, loc="left")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_panel(
    axes: Axes, results: Results, experiments: list[Experiment], column: Column
) -> dict:
    """Draws the numbers of a column; returns what it drew by the label for the legend."""
    drawn = {}
    dial = _by_weight(experiments)
    for experiment in experiments[len(dial) :]:
        values = results.values(experiment, column.get)
        if values:
            color = STYLES[experiment.model][0]
            label = f"{model_title(experiment.model)}, median"
            drawn[label] = axes.axhline(median(values), color=color, linestyle="--")
    color, marker = STYLES["linearized_vae"]
    medians = {}
    for place, experiment in enumerate(dial.values()):
        values = results.values(experiment, column.get)
        if values:
            axes.scatter([place] * len(values), values, color=color, marker=marker, alpha=0.5, s=14)
            medians[place] = median(values)
    if medians:
        (line,) = axes.plot(medians.keys(), medians.values(), color=color)
        drawn["linearized, a mark a seed, and their median"] = line
    if not drawn:
        axes.set_axis_off()
        return {}
    axes.set_yscale("linear" if column is SCORE else "log")
    axes.set_xticks(range(len(dial)), list(map(_label, dial)))
    pictures.label_axes(axes, "λ", column.title)
    return drawn
