# SPDX-License-Identifier: Apache-2.0
"""DtO against disentanglement: of every run beside the paper's means, and over restarts (Figure 4)."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import (
    FIGURE_4_EPOCHS,
    SHOWN_VARIANTS,
    Experiment,
    figure_4_experiment,
)
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results, grouped

AXES = ("distance to orthogonality (DtO)", "disentanglement score")
_FIGURE_4 = [figure_4_experiment(number) for number in FIGURE_4_EPOCHS]
_MARKERS = "osD^vP"


def every_run(results: Results) -> Picture | None:
    """Every run of the tables that has a score; None without any."""
    runs = _scored(results, results.experiments(SHOWN_VARIANTS))
    points = {
        (data.title, data.data_set): {
            model: scores(chosen) for model, chosen in grouped(of_data, "model").items()
        }
        for data, of_data in grouped(runs, "data").items()
    }
    title = "DtO against disentanglement"
    return Picture("dto_disentanglement", title, _draw_models, points) if runs else None


def figure_4(results: Results) -> Section | None:
    """Figure 4: restarts of dSprites' β-VAE with 10, 30 and 50 epochs."""
    experiments = results.experiments(planned=_FIGURE_4)
    if not experiments:
        return None
    runs = _scored(results, experiments)
    lengths = "; ".join(
        f"{one.data.title}: {sum(item.experiment == one for item in runs)} runs"
        for one in experiments
    )
    text = (
        "Each point is a restart of dSprites' β-VAE (β = 4) with 10, 30 or 50 epochs, where the paper "
        f"finds a low DtO to go with a high disentanglement score. {lengths}."
    )
    blocks: list = [text]
    if runs:
        points = [
            (f"{data.epochs} epoch{'s' * (data.epochs > 1)}{_origin(chosen[0])}", scores(chosen))
            for data, chosen in grouped(runs, "data").items()
        ]
        blocks.append(Picture("figure_4", "Figure 4", _draw_restarts, points))
    # Rendered and published files are two data sets.
    for origin in dict.fromkeys(map(_origin, runs)) or [""]:
        chosen = [item for item in runs if _origin(item) == origin]
        blocks.append(f"Correlation{origin}: {correlation(chosen)}")
    return Section("Figure 4: orthogonality and disentanglement", blocks)


def _scored(results: Results, experiments: list[Experiment]) -> list[FinishedRun]:
    """The runs that have a disentanglement score."""
    runs = results.runs(experiments)
    return [item for item in runs if item.metric("disentanglement_score") is not None]


def scores(runs: list[FinishedRun]) -> tuple[list, list]:
    """DtO and disentanglement score of each run."""
    return tuple([item.metric(name) for item in runs] for name in ("dto", "disentanglement_score"))


def correlation(runs: list[FinishedRun]) -> str:
    """Both coefficients of DtO and disentanglement, or why there are none."""
    dto, score = scores(runs)
    if len(runs) < 3 or len(set(dto)) < 2 or len(set(score)) < 2:
        return "none yet; it takes at least three runs that differ."
    pearson, spearman = stats.pearsonr(dto, score), stats.spearmanr(dto, score)
    text = f"{len(runs)} runs, Pearson {pearson.statistic:.2f} (p = {pearson.pvalue:.2g}"
    if len(runs) > 3:
        low, high = pearson.confidence_interval()
        text += f", 95 % interval {low:.2f} to {high:.2f}"
    return f"{text}), Spearman {spearman.statistic:.2f} (p = {spearman.pvalue:.2g})."


def _origin(item: FinishedRun) -> str:
    return f", {item.data_facts['origin']}" if "origin" in item.data_facts else ""


def _draw_restarts(points: list[tuple[str, tuple[list, list]]]) -> Figure:
    figure, ((axes,),) = pictures.panels(1, 1, 6, 4.2, legend=len(points))
    for index, (label, (dto, score)) in enumerate(points):
        color = pictures.COLORS[index % len(pictures.COLORS)]
        marker = _MARKERS[index % len(_MARKERS)]
        axes.scatter(dto, score, color=color, marker=marker, alpha=0.8, label=label)
    pictures.label_axes(axes, *AXES)
    figure.legend(loc="lower center", frameon=False)
    return figure


def _draw_models(points: dict[tuple[str, str], dict[str, tuple[list, list]]]) -> Figure:
    """Of each data set, by title and name, the scores of each model."""
    columns = min(len(points), 3)
    figure, panels = pictures.panels_in_rows(len(points), 4.6, height=4, legend=4 - columns)
    labels = {}
    for axes, ((title, data_set), of_data) in zip(panels, points.items(), strict=True):
        for model, (dto, score) in of_data.items():
            color, marker = pictures.STYLES[model]
            labels[pictures.model_title(model)] = axes.scatter(
                dto, score, color=color, marker=marker, alpha=0.8
            )
            x, y = (target(data_set, name, model) for name in ("dto", "disentanglement_score"))
            if x and y:
                style = {"color": color, "marker": marker, "markersize": 9, "linewidth": 0.7}
                axes.errorbar(x.mean, y.mean, y.sd, x.sd, markerfacecolor="none", **style)
        axes.set_title(title)
        axes.set_ylim(-0.05, 1.05)
        pictures.label_axes(axes, *AXES)
    labels["paper, mean ± sd"] = Line2D(
        [], [], color="black", marker="o", markerfacecolor="none", linewidth=0.7
    )
    figure.legend(labels.values(), labels, loc="lower center", ncols=3 * columns, frameon=False)
    return figure
