# SPDX-License-Identifier: Apache-2.0
"""The report's pictures, drawn from finished runs; needs neither TensorFlow nor dlib."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.study.cells import CELLS, MODEL_TITLES, Row
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.paper_targets import target

GRID_FILE = "visualizations/latent_grid.npz"

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_BLUE, _VERMILION, _GREEN, _SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
_ORANGE, _PURPLE, _GREY = "#E69F00", "#CC79A7", "#555555"
COLORS = (_BLUE, _VERMILION, _GREEN, _SKY, _ORANGE, _PURPLE, _GREY)

# Markers repeat what colours say.
_STYLES = {
    "beta_vae": (_BLUE, "o"),
    "vae": (_SKY, "s"),
    "autoencoder": (_VERMILION, "^"),
    "beta_vae_sigma": (_GREEN, "D"),
    "polarized_vae": (_ORANGE, "P"),
    "random_decoder": (_GREY, "X"),
}


def draw_latent_grid(axes: Axes, latents: np.ndarray, every: int = 5) -> None:
    """Draws the image of the unit square's grid in latent space.

    Args:
        axes: where to draw.
        latents: [a, b, 2], posterior means of the points of an evenly spaced a x b grid of (w1, w2).
        every: draw every so many-th line of the grid.
    """
    for i in range(0, latents.shape[0], every):
        axes.plot(*latents[i].T, color=_BLUE, linewidth=1)
    for j in range(0, latents.shape[1], every):
        axes.plot(*latents[:, j].T, color=_VERMILION, linewidth=1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.locator_params(nbins=4)
    axes.set_xlabel("latent 1 (mean)")
    axes.set_ylabel("latent 2 (mean)")


def grid_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=_BLUE, label="first factor constant"),
        Line2D([], [], color=_VERMILION, label="second factor constant"),
    ]


def save(figure: Figure, path: Path) -> None:
    """Writes the picture so that it is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    figure.savefig(partial, dpi=150)
    partial.rename(path)


def latent_grids(runs: Sequence[FinishedRun], row: Row) -> Figure | None:
    """The lowest finished seed of each model of a row side by side; None where there is none."""
    first = {}
    for item in runs:
        if item.run.cell.row == row and (item.directory / GRID_FILE).is_file():
            first.setdefault(item.run.cell.model, item)
    if not first:
        return None
    figure = Figure(figsize=(3.1 * len(first), 3.9), layout="constrained")
    panels = figure.subplots(1, len(first), squeeze=False)[0]
    for axes, (model, item) in zip(panels, first.items(), strict=True):
        with np.load(item.directory / GRID_FILE) as file:
            draw_latent_grid(axes, file["latents"])
        axes.set_title(f"{_title(model)}, seed {item.run.seed}\n{_measures(item)}")
    figure.suptitle(f"{row.title}: the unit square in latent space")
    figure.legend(handles=grid_legend(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _measures(item: FinishedRun) -> str:
    names = {"dto": "DtO", "disentanglement_score": "disent."}
    return ", ".join(f"{names[key]} {value:.2f}" for key, value in item.measures.items())


def dto_against_disentanglement(runs: Sequence[FinishedRun], rows: Sequence[Row]) -> Figure | None:
    """A panel for each row: a point for each run, the paper's means as hollow markers."""
    runs = [item for item in runs if "disentanglement_score" in item.measures]
    rows = [row for row in rows if any(item.run.cell.row == row for item in runs)]
    if not rows:
        return None
    figure = Figure(figsize=(4.6 * len(rows), 4.6), layout="constrained")
    panels = figure.subplots(1, len(rows), squeeze=False)[0]
    for axes, row in zip(panels, rows, strict=True):
        for model in _models(row):
            color, marker = _STYLES[model]
            measures = [
                item.measures
                for item in runs
                if item.run.cell.row == row and item.run.cell.model == model
            ]
            axes.scatter(
                [values["dto"] for values in measures],
                [values["disentanglement_score"] for values in measures],
                color=color,
                marker=marker,
                alpha=0.8,
                label=_title(model),
            )
            dto, score = (
                target(row.data_set, measure, model) for measure in ("dto", "disentanglement_score")
            )
            if dto and score:
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
        axes.set_title(row.title)
        axes.set_xlabel("distance to orthogonality (DtO)")
        axes.set_ylabel("disentanglement score")
        axes.set_ylim(-0.05, 1.05)
        axes.grid(alpha=0.25)
    handles, labels = panels[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color="black", marker="o", markerfacecolor="none", linewidth=0.7))
    labels.append("paper, mean ± sd")
    columns = min(len(labels), 3 * len(rows))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def training_curves(runs: Sequence[FinishedRun], rows: Sequence[Row], tag: str) -> Figure | None:
    """A panel for each row: the curve `tag` of each run; None where no run has it."""
    runs = [item for item in runs if len(item.curves.get(tag, [[]])[0]) > 1]
    rows = [row for row in rows if any(item.run.cell.row == row for item in runs)]
    if not rows:
        return None
    figure = Figure(figsize=(4.6 * len(rows), 3.9), layout="constrained")
    panels = figure.subplots(1, len(rows), squeeze=False)[0]
    for axes, row in zip(panels, rows, strict=True):
        for model, group in itertools.groupby(
            (item for item in runs if item.run.cell.row == row),
            key=lambda item: item.run.cell.model,
        ):
            for index, item in enumerate(group):
                axes.plot(
                    *item.curves[tag],
                    color=_STYLES[model][0],
                    linewidth=1,
                    alpha=0.6,
                    label=None if index else _title(model),
                )
        axes.set_title(row.title)
        axes.set_xlabel("training step (a batch each)")
        axes.set_ylabel(f"{tag}, mean of a batch")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    return figure


def _models(row: Row) -> list[str]:
    return [cell.model for cell in CELLS if cell.row == row.whole]


def _title(model: str) -> str:
    return MODEL_TITLES[model].replace("_Σ", r"$_\Sigma$")
