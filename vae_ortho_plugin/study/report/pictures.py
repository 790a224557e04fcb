# SPDX-License-Identifier: Apache-2.0
"""What the study's pictures have in common; needs neither TensorFlow nor dlib."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.study.experiments import MODEL_TITLES
from vae_ortho_plugin.study.finished import FinishedRun

GRID_FILE = "visualizations/latent_grid.npz"

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_BLUE, _VERMILION, _GREEN, _SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
_ORANGE, _PURPLE, _GREY = "#E69F00", "#CC79A7", "#555555"
COLORS = (_BLUE, _VERMILION, _GREEN, _SKY, _ORANGE, _PURPLE, _GREY)

# Model -> colour and marker, which repeats what the colour says.
STYLES = {
    "beta_vae": (_BLUE, "o"),
    "vae": (_SKY, "s"),
    "autoencoder": (_VERMILION, "^"),
    "beta_vae_sigma": (_GREEN, "D"),
    "polarized_vae": (_ORANGE, "P"),
    "random_decoder": (_GREY, "X"),
}


def model_title(model: str) -> str:
    return MODEL_TITLES[model].replace("_Σ", r"$_\Sigma$")


def run_title(item: FinishedRun) -> str:
    return f"{model_title(item.cell.model)}, seed {item.run.seed}"


def panels(number: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels of a size in inches, three in a row."""
    columns = min(number, 3)
    lines = -(-number // columns)
    figure = Figure(figsize=(width * columns, height * lines + 0.4), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for empty in axes[number:]:
        empty.set_axis_off()
    return figure, axes[:number]


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
