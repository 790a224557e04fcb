# SPDX-License-Identifier: Apache-2.0
"""Suppl. C: DtO and disentanglement over β, and over the axis ratio of Synth. Lin."""

import pandas as pd
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan import experiments as planned
from vae_ortho_plugin.study.plan.experiments import Experiment
from vae_ortho_plugin.study.report import paper_targets, pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.paper_targets import Target
from vae_ortho_plugin.study.report.results import Results, Sweep
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column

_BETAS = Sweep(
    {
        planned.beta_experiment(data, beta): (data, beta)
        for data, betas in planned.SWEPT_BETAS.items()
        for beta in betas
    }
)
_RATIOS = Sweep(
    {
        planned.axis_ratio_experiment(ratio, data): (data, ratio)
        for data in (planned.SYNTH_LINEAR, planned.SYNTH_LINEAR_64)
        for ratio in planned.AXIS_RATIOS
    }
)


def beta_sweep(results: Results) -> Section | None:
    found = _numbers(results, _BETAS, [DTO, SCORE])
    if found.empty:
        return None
    text = (
        "β-VAEs that differ from those of Table 2 in β alone. The paper shows this as a figure, without "
        "numbers."
    )
    curves: dict = {}
    for one in found.dropna(subset="mean").itertuples():
        of_data = curves.setdefault(_BETAS.series(one.experiment).title, {})
        point = _BETAS.value(one.experiment), one.mean, one.sd or 0
        of_data.setdefault(one.column.title, []).append(point)
    title = "DtO and disentanglement over β"
    picture = [Picture("beta_sweep", title, _draw, curves)] if curves else []
    labels = {
        "data set": lambda one: _BETAS.series(one).title,
        "β": lambda one: f"{_BETAS.value(one):g}",
    }
    table = tables.table("beta_sweep", found, labels, beta=_BETAS.value)
    return Section("Supplement C: sweep of β", [text, *picture, table])


def axis_ratios(results: Results) -> Section | None:
    found = _numbers(results, _RATIOS, [_of_supplement(DTO), _of_supplement(SCORE)])
    if found.empty:
        return None
    text = (
        "Synth. Lin. with axes closer in length than 2 : 1. The lengths distinguish the axes; at 1 the "
        "principal directions are arbitrary. The paper's numbers are at second hand."
    )
    labels = {
        "data set": lambda one: _RATIOS.series(one).title,
        "axis ratio": lambda one: f"{_RATIOS.value(one):g}",
    }
    table = tables.table("axis_ratios", found, labels, axis_ratio=_RATIOS.value)
    return Section("Supplement C: axis ratios", [text, table])


def _numbers(results: Results, sweep: Sweep, columns: list[Column]) -> pd.DataFrame:
    """By data, remarks and value, without the series that have experiments of Table 2 alone."""
    experiments = results.experiments(planned=sweep)
    changed = [one for one in experiments if one.data.as_planned != sweep[one.as_planned][0]]
    series = set(map(sweep.series, changed))
    data_order = list(dict.fromkeys(data for data, _ in sweep.values()))

    def place(experiment: Experiment) -> tuple:
        data, value = sweep[experiment.as_planned]
        return data_order.index(data), experiment.data.remarks, value

    chosen = [experiment for experiment in experiments if sweep.series(experiment) in series]
    return tables.numbers(results, sorted(chosen, key=place), columns)


def _of_supplement(column: Column) -> Column:
    """The column beside the supplement's numbers; ratio 2 stands beside Table 2's number."""

    def paper(experiment: Experiment) -> Target | None:
        own = paper_targets.AXIS_RATIOS.get(_RATIOS.value(experiment), {}).get(column.name)
        return own or paper_targets.target("synth_linear", column.name, experiment.model)

    return column._replace(paper=paper)


def _draw(curves: dict[str, dict[str, list[tuple[float, float, float]]]]) -> Figure:
    """Of each data set and number: β, mean and standard deviation."""
    figure, panels = pictures.panels_in_rows(len(curves), width=4.6, height=3.4)
    styles = {DTO.title: ("o", pictures.BLUE), SCORE.title: ("s", pictures.VERMILION)}
    for axes, (title, of_data) in zip(panels, curves.items(), strict=True):
        for label, points in of_data.items():
            betas, means, spreads = zip(*points, strict=True)
            marker, color = styles[label]
            axes.errorbar(
                betas, means, yerr=spreads, color=color, marker=marker, capsize=3, label=label
            )
        axes.set_title(title)
        axes.set_xscale("log")
        pictures.label_axes(axes, "β", "mean ± standard deviation")
        axes.legend(frameon=False)
    return figure
