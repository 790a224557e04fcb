# SPDX-License-Identifier: Apache-2.0
"""What the pictures have in common: colours, panels, the grid in latent space, saving."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.files import sha256, written_beside
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
DPI = 120


def model_title(model: str) -> str:
    """The model's title, with the subscript as matplotlib sets it."""
    return MODEL_TITLES[model].replace("_Σ", r"$_\Sigma$")


def run_title(item: FinishedRun) -> str:
    """Title of a panel that shows one run."""
    return f"{model_title(item.experiment.model)}, seed {item.run.seed}"


def panels(
    lines: int, columns: int, width: float, height: float, legend: int = 0, images: bool = False
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes [lines, columns].

    The margins are fixed: matplotlib's layout engines measure each label several times, which takes
    longer than drawing.

    Args:
        width, height: of a panel in inches, with its title and its labels.
        legend: lines of text that are left free below the panels.
        images: the panels have neither axes nor labels.
    """
    left, right, bottom, top = (0.05, 0.05, 0.05, 0.3) if images else (0.75, 0.12, 0.55, 0.35)
    below = 0.25 * legend + 0.05
    size = width * columns, height * lines + below
    figure = Figure(figsize=size)
    figure.subplots_adjust(
        left=left / size[0],
        right=1 - right / size[0],
        bottom=(below + bottom) / size[1],
        top=1 - top / size[1],
        wspace=(left + right) / (width - left - right),
        hspace=(bottom + top) / (height - bottom - top),
    )
    return figure, figure.subplots(lines, columns, squeeze=False)


def panels_in_rows(
    number: int, width: float, height: float, legend: int = 0
) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, at most three in a row."""
    columns = min(number, 3)
    figure, grid = panels(-(-number // columns), columns, width, height, legend)
    for empty in grid.flat[number:]:
        empty.set_axis_off()
    return figure, list(grid.flat[:number])


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
    x, y = latents[..., 0], latents[..., 1]
    axes.plot(x[::every].T, y[::every].T, color=BLUE, linewidth=1)
    axes.plot(x[:, ::every], y[:, ::every], color=VERMILION, linewidth=1)
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


def as_colours(image: np.ndarray) -> np.ndarray:
    """An image or images [..., height, width, channels] with three channels.

    Grey is the same in all three; of other channels the first three are shown, and missing ones are 0.
    """
    if image.ndim < 3 or image.shape[-1] == 3:
        return image
    if image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    missing = max(0, 3 - image.shape[-1])
    return np.pad(image[..., :3], [(0, 0)] * (image.ndim - 1) + [(0, missing)])


def save(figure: Figure, path: Path, digest: str = "") -> None:
    """Writes the picture, with the digest of what it shows among the first bytes."""
    figure.set_dpi(DPI)
    # `savefig` draws, and lays out, twice.
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    with written_beside(path) as partial:
        matplotlib.image.imsave(
            partial, np.asarray(canvas.buffer_rgba()), dpi=DPI, metadata={"Digest": digest}
        )


def draw_where_changed(
    path: Path, draw: Callable[[Any], Figure], data: object, files: Iterable[Path]
) -> None:
    """Draws and saves a picture, unless the file there has been drawn from the same data, files and code."""
    parts = (_digest_of_code(), data, [sha256(file) for file in files])
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    try:
        with path.open("rb") as file:
            if digest.encode() in file.read(1000):
                return
    except FileNotFoundError:
        pass
    # A fixed height of titles spares measuring all labels of the axes.
    with matplotlib.rc_context({"axes.titley": 1.0}):
        save(draw(data), path, digest)


@functools.cache
def _digest_of_code() -> str:
    sums = [sha256(path) for path in sorted(Path(__file__).parent.rglob("*.py"))]
    return f"{matplotlib.__version__} {sums}"
