# SPDX-License-Identifier: Apache-2.0
"""Suppl. C: DtO and disentanglement over β, and over the axis ratio of Synth. Lin."""

from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import (
    AXIS_RATIOS,
    SWEPT_BETAS,
    SYNTH_LINEAR,
    SYNTH_LINEAR_64,
    Experiment,
    axis_ratio_experiment,
    beta_experiment,
)
from vae_ortho_plugin.study.report import paper_targets, pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.paper_targets import Target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column, Row

# Planned experiment -> the data whose parameter is swept, and the parameter's value.
Sweep = dict[Experiment, tuple[DataVariant, float]]

_BETAS: Sweep = {
    beta_experiment(data, beta): (data, beta)
    for data, betas in SWEPT_BETAS.items()
    for beta in betas
}
_RATIOS: Sweep = {
    axis_ratio_experiment(ratio, data): (data, ratio)
    for data in (SYNTH_LINEAR, SYNTH_LINEAR_64)
    for ratio in AXIS_RATIOS
}


def beta_sweep(results: Results) -> Section | None:
    rows = _rows(results, _BETAS, [DTO, SCORE])
    if not rows:
        return None
    text = (
        "β-VAEs that differ from those of Table 2 in β alone. The paper shows this as a figure, without "
        "numbers."
    )
    shown = [row for row in rows if row[0].ours]
    curves = (
        [Picture("beta_sweep", "DtO and disentanglement over β", _curves(shown))] if shown else []
    )
    labels = {
        "data set": lambda one: _series(_BETAS, one).title,
        "β": lambda one: f"{_beta(one):g}",
    }
    table = tables.table("beta_sweep", rows, labels, beta=_beta)
    return Section("Supplement C: sweep of β", [text, *curves, table])


def axis_ratios(results: Results) -> Section | None:
    rows = _rows(results, _RATIOS, [_of_supplement(DTO), _of_supplement(SCORE)])
    if not rows:
        return None
    text = (
        "Synth. Lin. with axes closer in length than 2 : 1. The lengths distinguish the axes; at 1 the "
        "principal directions are arbitrary. The paper's numbers are at second hand."
    )
    labels = {
        "data set": lambda one: _series(_RATIOS, one).title,
        "axis ratio": lambda one: f"{_ratio(one):g}",
    }
    table = tables.table("axis_ratios", rows, labels, axis_ratio=_ratio)
    return Section("Supplement C: axis ratios", [text, table])


def _beta(experiment: Experiment) -> float:
    return _BETAS[experiment.as_planned][1]


def _ratio(experiment: Experiment) -> float:
    return _RATIOS[experiment.as_planned][1]


def _series(sweep: Sweep, experiment: Experiment) -> DataVariant:
    """The data whose parameter is swept, with the remarks on the experiment's runs."""
    return sweep[experiment.as_planned][0].remarked_as(experiment.data)


def _rows(results: Results, sweep: Sweep, columns: list[Column]) -> list[Row]:
    """By data, remarks and value, without the series that have experiments of Table 2 alone."""
    experiments = results.experiments(planned=sweep)
    series = {
        _series(sweep, experiment)
        for experiment in experiments
        if experiment.data.as_planned != sweep[experiment.as_planned][0]
    }
    data_order = list(dict.fromkeys(data for data, _ in sweep.values()))

    def place(experiment: Experiment) -> tuple:
        data, value = sweep[experiment.as_planned]
        return data_order.index(data), experiment.data.remarks, value

    chosen = [experiment for experiment in experiments if _series(sweep, experiment) in series]
    return tables.rows(results, sorted(chosen, key=place), columns)


def _of_supplement(column: Column) -> Column:
    """The column beside the supplement's numbers; ratio 2 stands beside Table 2's number."""

    def paper(experiment: Experiment) -> Target | None:
        own = paper_targets.AXIS_RATIOS.get(_ratio(experiment), {}).get(column.name)
        return own or paper_targets.target("synth_linear", column.name, experiment.model)

    return column._replace(paper=paper)


def _curves(rows: list[Row]) -> Figure:
    series: dict[str, list[Row]] = {}
    for row in rows:
        series.setdefault(_series(_BETAS, row[0].experiment).title, []).append(row)
    figure, panels = pictures.panels(len(series), width=4.6, height=3.4)
    for axes, (title, of_series) in zip(panels, series.items(), strict=True):
        for entries, color, marker in zip(
            zip(*of_series, strict=True), pictures.COLORS, "os", strict=False
        ):
            shown = [entry for entry in entries if entry.ours]
            axes.errorbar(
                [_beta(entry.experiment) for entry in shown],
                [entry.ours.mean for entry in shown],
                yerr=[entry.ours.sd or 0 for entry in shown],
                color=color,
                marker=marker,
                capsize=3,
                label=entries[0].column.title,
            )
        axes.set_title(title)
        axes.set_xscale("log")
        pictures.label_axes(axes, "β", "mean ± standard deviation")
        axes.legend(frameon=False)
    return figure
