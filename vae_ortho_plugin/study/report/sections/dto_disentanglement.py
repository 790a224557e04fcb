# SPDX-License-Identifier: Apache-2.0
"""Every run's DtO against its disentanglement, beside the paper's means."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.model_styles import STYLES, model_title
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results, finished_variants
from vae_ortho_plugin.study.report.section import Picture, Section


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.experiments(variants=SHOWN_VARIANTS))
        if item.metric("disentanglement_score") is not None
    ]
    if not runs:
        return None
    title = "DtO against disentanglement"
    return Section(title, [Picture("dto_disentanglement", title, _scatter(runs))])


def _scatter(runs: list[FinishedRun]) -> Figure:
    variants = finished_variants(runs)
    figure, panels = pictures.panels(len(variants), width=4.6, height=4.2)
    labels = {}
    for axes, variant in zip(panels, variants, strict=True):
        for model in dict.fromkeys(
            item.experiment.model for item in runs if item.experiment.data == variant
        ):
            chosen = [
                item
                for item in runs
                if (item.experiment.data, item.experiment.model) == (variant, model)
            ]
            color, marker = STYLES[model]
            labels[model_title(model)] = axes.scatter(
                [item.metric("dto") for item in chosen],
                [item.metric("disentanglement_score") for item in chosen],
                color=color,
                marker=marker,
                alpha=0.8,
            )
            _draw_paper(axes, variant, model)
        axes.set_title(variant.title)
        axes.set_xlabel("distance to orthogonality (DtO)")
        axes.set_ylabel("disentanglement score")
        axes.set_ylim(-0.05, 1.05)
        axes.grid(alpha=0.25)
    labels["paper, mean ± sd"] = Line2D(
        [], [], color="black", marker="o", markerfacecolor="none", linewidth=0.7
    )
    columns = min(len(labels), 3 * min(len(variants), 3))
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_paper(axes: Axes, variant: DataVariant, model: str) -> None:
    dto, score = (
        target(variant.data_set, measure, model) for measure in ("dto", "disentanglement_score")
    )
    if dto and score:
        color, marker = STYLES[model]
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
