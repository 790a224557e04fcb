# SPDX-License-Identifier: Apache-2.0
"""Every run's DtO against its disentanglement, beside the paper's means."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.study.experiments import SHOWN_ROWS, Row
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results, finished_rows
from vae_ortho_plugin.study.report.section import Picture, Section


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.cells(study_rows=SHOWN_ROWS))
        if item.metric("disentanglement_score") is not None
    ]
    if not runs:
        return None
    title = "DtO against disentanglement"
    return Section(title, [Picture("dto_disentanglement", title, _scatter(runs))])


def _scatter(runs: list[FinishedRun]) -> Figure:
    rows = finished_rows(runs)
    figure, panels = pictures.panels(len(rows), width=4.6, height=4.2)
    labels = {}
    for axes, row in zip(panels, rows, strict=True):
        for model in dict.fromkeys(item.cell.model for item in runs if item.cell.row == row):
            chosen = [item for item in runs if (item.cell.row, item.cell.model) == (row, model)]
            color, marker = pictures.STYLES[model]
            labels[pictures.model_title(model)] = axes.scatter(
                [item.metric("dto") for item in chosen],
                [item.metric("disentanglement_score") for item in chosen],
                color=color,
                marker=marker,
                alpha=0.8,
            )
            _draw_paper(axes, row, model)
        axes.set_title(row.title)
        axes.set_xlabel("distance to orthogonality (DtO)")
        axes.set_ylabel("disentanglement score")
        axes.set_ylim(-0.05, 1.05)
        axes.grid(alpha=0.25)
    labels["paper, mean ± sd"] = Line2D(
        [], [], color="black", marker="o", markerfacecolor="none", linewidth=0.7
    )
    columns = min(len(labels), 3 * min(len(rows), 3))
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_paper(axes: Axes, row: Row, model: str) -> None:
    dto, score = (
        target(row.data_set, measure, model) for measure in ("dto", "disentanglement_score")
    )
    if dto and score:
        color, marker = pictures.STYLES[model]
        axes.errorbar(
            dto.mean,
            score.mean,
            xerr=dto.sd,
            yerr=score.sd,
            color=color,
            marker=marker,
            markersize=9,
            markerfacecolor="none",
            linewidth=0.7,
        )
