# SPDX-License-Identifier: Apache-2.0
"""DtO against disentanglement: of every run beside the paper's means, and over restarts (Figure 4)."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import (
    FIGURE_4_EPOCHS,
    SHOWN_VARIANTS,
    figure_4_experiment,
)
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results

# Number of a run -> label of its axis.
AXES = {
    "dto": "distance to orthogonality (DtO)",
    "disentanglement_score": "disentanglement score",
}
_FIGURE_4 = [figure_4_experiment(number) for number in FIGURE_4_EPOCHS]
_MARKERS = "osD^vP"


def every_run(results: Results) -> Picture | None:
    """Every run of the tables that has a score; None without any."""
    runs = results.measured(results.experiments(SHOWN_VARIANTS), *AXES)
    runs["data_set"] = [one.data.data_set for one in runs["experiment"]]
    points = runs.drop(columns=["experiment", "origin"]).to_dict("list")
    title = "DtO against disentanglement"
    return None if runs.empty else Picture("dto_disentanglement", title, _draw_models, points)


def figure_4(results: Results) -> Section | None:
    """Figure 4: restarts of dSprites' β-VAE with 10, 30 and 50 epochs."""
    experiments = results.experiments(planned=_FIGURE_4)
    if not experiments:
        return None
    runs = results.measured(experiments, *AXES)
    lengths = "; ".join(
        f"{one.data.title}: {(runs['experiment'] == one).sum()} runs" for one in experiments
    )
    text = (
        "Each point is a restart of dSprites' β-VAE (β = 4) with 10, 30 or 50 epochs, where the paper "
        f"finds a low DtO to go with a high disentanglement score. {lengths}."
    )
    blocks: list = [text]
    runs["origin"] = [f", {origin}" if origin else "" for origin in runs["origin"]]
    if not runs.empty:
        points = []
        for (_, origin), of_data in runs.groupby(["data", "origin"], sort=False):
            epochs = of_data["experiment"].iloc[0].data.epochs
            label = f"{epochs} epoch{'s' * (epochs > 1)}{origin}"
            points.append((label, of_data[[*AXES]].to_dict("list")))
        blocks.append(Picture("figure_4", "Figure 4", _draw_restarts, points))
    # Rendered and published files are two data sets.
    for origin in runs["origin"].unique() if len(runs) else [""]:
        found = correlation(runs[runs["origin"] == origin])
        blocks.append(f"Correlation{origin}: {found}")
    return Section("Figure 4: orthogonality and disentanglement", blocks)


def correlation(runs: pd.DataFrame) -> str:
    """Both coefficients of DtO and disentanglement, or why there are none."""
    dto, score = (runs[name].to_list() for name in AXES)
    if len(runs) < 3 or len(set(dto)) < 2 or len(set(score)) < 2:
        return "none yet; it takes at least three runs that differ."
    pearson, spearman = stats.pearsonr(dto, score), stats.spearmanr(dto, score)
    text = f"{len(runs)} runs, Pearson {pearson.statistic:.2f} (p = {pearson.pvalue:.2g}"
    if len(runs) > 3:
        low, high = pearson.confidence_interval()
        text += f", 95 % interval {low:.2f} to {high:.2f}"
    return f"{text}), Spearman {spearman.statistic:.2f} (p = {spearman.pvalue:.2g})."


def _draw_restarts(points: list[tuple[str, dict[str, list]]]) -> Figure:
    figure, ((axes,),) = pictures.panels(1, 1, 6, 4.2, legend=len(points))
    for index, (label, numbers) in enumerate(points):
        color = pictures.COLORS[index % len(pictures.COLORS)]
        marker = _MARKERS[index % len(_MARKERS)]
        axes.scatter(*numbers.values(), color=color, marker=marker, alpha=0.8, label=label)
    pictures.label_axes(axes, *AXES.values())
    figure.legend(loc="lower center", frameon=False)
    return figure


def _draw_models(points: dict[str, list]) -> Figure:
    by_data = pd.DataFrame(points).groupby(["data", "data_set"], sort=False)
    columns = min(len(by_data), 3)
    figure, panels = pictures.panels_in_rows(len(by_data), 4.6, height=4, legend=4 - columns)
    labels = {}
    for axes, ((title, data_set), of_data) in zip(panels, by_data, strict=True):
        for model, runs in of_data.groupby("model", sort=False):
            color, marker = pictures.STYLES[model]
            labels[pictures.model_title(model)] = axes.scatter(
                *(runs[name] for name in AXES), color=color, marker=marker, alpha=0.8
            )
            x, y = (target(data_set, name, model) for name in AXES)
            if x and y:
                style = {"color": color, "marker": marker, "markersize": 9, "linewidth": 0.7}
                axes.errorbar(x.mean, y.mean, y.sd, x.sd, markerfacecolor="none", **style)
        axes.set_title(title)
        axes.set_ylim(-0.05, 1.05)
        pictures.label_axes(axes, *AXES.values())
    labels["paper, mean ± sd"] = Line2D(
        [], [], color="black", marker="o", markerfacecolor="none", linewidth=0.7
    )
    figure.legend(labels.values(), labels, loc="lower center", ncols=3 * columns, frameon=False)
    return figure
