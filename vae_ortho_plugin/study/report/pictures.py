# SPDX-License-Identifier: Apache-2.0
"""What the pictures have in common: colours, panels, the grid in latent space, saving."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.files import written_beside
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report.finished import FinishedRun

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, VERMILION, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
ORANGE, PURPLE, GREY = "#E69F00", "#CC79A7", "#555555"
COLORS = (BLUE, VERMILION, GREEN, SKY, ORANGE, PURPLE, GREY)

# Model -> colour and marker; the marker repeats what the colour says.
STYLES = {
    "beta_vae": (BLUE, "o"),
    "vae": (SKY, "s"),
    "autoencoder": (VERMILION, "^"),
    "beta_vae_sigma": (GREEN, "D"),
    "polarized_vae": (ORANGE, "P"),
    "linearized_vae": (PURPLE, "v"),
    "random_decoder": (GREY, "X"),
}


def model_title(model: str) -> str:
    """The model's title, with the subscript as matplotlib sets it."""
    return MODEL_TITLES[model].replace("_Σ", r"$_\Sigma$")


def run_title(item: FinishedRun) -> str:
    """Title of a panel that shows one run."""
    return f"{model_title(item.experiment.model)}, seed {item.run.seed}"


def panels(number: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with panels of `width` x `height` inches, at most three in a row."""
    columns = min(number, 3)
    lines = -(-number // columns)
    figure = Figure(figsize=(width * columns, height * lines + 0.4), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for empty in axes[number:]:
        empty.set_axis_off()
    return figure, axes[:number]


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Names the axes and draws a grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)


def draw_latent_grid(axes: Axes, latents: np.ndarray, every: int = 5) -> None:
    """Draws the image of the unit square's grid in latent space.

    Args:
        axes: where to draw.
        latents: [a, b, 2], posterior means of the points of an evenly spaced a x b grid of (w1, w2).
        every: distance of the drawn lines, in lines of the grid.
    """
    for i in range(0, latents.shape[0], every):
        axes.plot(*latents[i].T, color=BLUE, linewidth=1)
    for j in range(0, latents.shape[1], every):
        axes.plot(*latents[:, j].T, color=VERMILION, linewidth=1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.locator_params(nbins=4)
    axes.set_xlabel("latent 1 (mean)")
    axes.set_ylabel("latent 2 (mean)")


def grid_legend() -> list[Line2D]:
    """Entries of a legend for `draw_latent_grid`."""
    return [
        Line2D([], [], color=BLUE, label="first factor constant"),
        Line2D([], [], color=VERMILION, label="second factor constant"),
    ]


def save(figure: Figure, path: Path) -> None:
    """Writes the picture; a reader sees the old file or the complete new one."""
    with written_beside(path) as partial:
        figure.savefig(partial, dpi=150)
