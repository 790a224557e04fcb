# SPDX-License-Identifier: Apache-2.0
"""The dial: the linearized VAE over its weight of orthogonality, beside the sampled models."""

from statistics import median, median_low

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from vae_ortho_plugin.study.plan import experiments as planned
from vae_ortho_plugin.study.plan.experiments import DIAL_VARIANTS, MODEL_TITLES, Experiment
from vae_ortho_plugin.study.report import pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, Sweep
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column

# λ; None of a sampled model.
_WEIGHTS = Sweep()
for _data, _models in DIAL_VARIANTS.items():
    _WEIGHTS |= {planned.dial_experiment(_data, one): (_data, one) for one in planned.DIAL}
    _WEIGHTS |= {Experiment(_data, model): (_data, None) for model in _models}
_weight = _WEIGHTS.value
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
# Of a model on some data: λ, the model, the numbers of its runs for each column.
_Point = tuple[float | None, str, list[list[float]]]


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
    series: dict[str, list[Experiment]] = {}
    for one in results.experiments(planned=_WEIGHTS):
        series.setdefault(_WEIGHTS.series(one).title, []).append(one)
    # Only data with two λ or more.
    series = {
        title: sorted(found, key=lambda one: (_weight(one) is None, _weight(one) or 0))
        for title, found in series.items()
        if sum(_weight(one) is not None for one in found) > 1
    }
    if not series:
        return None
    points = {
        title: [
            (_weight(one), one.model, [results.values(one, column.get) for column in _COLUMNS])
            for one in found
        ]
        for title, found in series.items()
        if results.runs(found)
    }
    picture = [Picture("dial", "Orthogonality over λ", _draw, points)] if points else []
    shown = [one for found in series.values() for one in found]
    labels = {"data set": lambda one: _WEIGHTS.series(one).title, "model": _model}
    numbers = tables.numbers(results, shown, _COLUMNS)
    table = tables.table("dial", numbers, labels, orthogonality=_weight)
    table.shown["steps"] = [_steps_text(results, one) for one in shown]
    return Section("The dial: orthogonality on request", [_TEXT, *picture, table])


def _model(experiment: Experiment) -> str:
    weight = _weight(experiment)
    return MODEL_TITLES[experiment.model] if weight is None else f"λ = {_label(weight)}"


def _label(weight: float) -> str:
    return _FRACTIONS.get(weight, f"{weight:g}")


def _steps(item: FinishedRun) -> float | None:
    """Steps until DtO stays below _REACHED; None where it does not, or was not measured."""
    steps = item.of_tracker("dto_while_training", "steps") or []
    values = item.of_tracker("dto_while_training", "dto") or []
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


def _draw(points: dict[str, list[_Point]]) -> Figure:
    figure, grid = pictures.panels(len(points), len(_COLUMNS), 3.4, 2.9, legend=1)
    handles = {}
    for line, (title, of_data) in zip(grid, points.items(), strict=True):
        for place, (axes, column) in enumerate(zip(line, _COLUMNS, strict=True)):
            numbers = [(weight, model, values[place]) for weight, model, values in of_data]
            handles |= _draw_panel(axes, numbers, column)
        line[0].set_title(title, loc="left")
    figure.legend(handles.values(), handles, loc="lower center", ncols=5, frameon=False)
    return figure


def _draw_panel(
    axes: Axes, numbers: list[tuple[float | None, str, list[float]]], column: Column
) -> dict:
    """Draws the numbers of a column; returns what it drew by the label for the legend."""
    drawn = {}
    weights = [weight for weight, _, _ in numbers if weight is not None]
    medians = {}
    for weight, model, values in numbers:
        color, marker = pictures.STYLES[model]
        if values and weight is None:
            label = f"{pictures.model_title(model)}, median"
            drawn[label] = axes.axhline(median(values), color=color, linestyle="--")
        elif values:
            place = weights.index(weight)
            axes.scatter([place] * len(values), values, color=color, marker=marker, alpha=0.5, s=14)
            medians[place] = median(values)
    if medians:
        (line,) = axes.plot(
            medians.keys(), medians.values(), color=pictures.STYLES["linearized_vae"][0]
        )
        drawn["linearized, a mark a seed, and their median"] = line
    if not drawn:
        axes.set_axis_off()
        return {}
    if column is not SCORE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xticks(range(len(weights)), list(map(_label, weights)))
    pictures.label_axes(axes, "λ", column.title)
    return drawn
