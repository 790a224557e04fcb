# SPDX-License-Identifier: Apache-2.0
"""Reconstructions and latent traversals of image data, from the pictures of dlib_reproduce."""

import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.pictures import run_title
from vae_ortho_plugin.study.report.results import Results, grouped

# disentanglement_lib's picture has 8 rows of pairs.
_PAIR_ROWS, _SHOWN_PAIR_ROWS = 8, 2
_TEXT = (
    "The lowest finished seed of each model. Traversals: a column a latent, moved from −1 to 1 from top to "
    "bottom while the others keep the code of one image. Reconstructions: pairs of an image and its "
    "reconstruction."
)


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.experiments(SHOWN_VARIANTS))
        if item.files.traversals.is_file()
    ]
    if not runs:
        return None
    blocks: list = [_TEXT]
    for data, of_data in grouped(runs, "data").items():
        shown = [of_model[0] for of_model in grouped(of_data, "model").values()]
        blocks.append(f"### {data.title}")
        for kind, draw in (("Traversals", _traversals), ("Reconstructions", _reconstructions)):
            blocks.append(
                Picture(f"{kind.lower()}_{data.name}", f"{kind}, {data.title}", draw(shown))
            )
    return Section("Traversals and reconstructions", blocks)


def _traversals(runs: list[FinishedRun]) -> Figure:
    figure = Figure(figsize=(2.4 * len(runs), 4.4), layout="constrained")
    panels = figure.subplots(1, len(runs), squeeze=False)[0]
    for axes, item in zip(panels, runs, strict=True):
        _show(axes, item, matplotlib.image.imread(item.files.traversals))
    return figure


def _reconstructions(runs: list[FinishedRun]) -> Figure:
    figure = Figure(figsize=(7, 1.25 * len(runs)), layout="constrained")
    panels = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axes, item in zip(panels, runs, strict=True):
        picture = matplotlib.image.imread(item.files.reconstructions)
        top = len(picture) // _PAIR_ROWS * _SHOWN_PAIR_ROWS
        _show(axes, item, picture[:top])
    return figure


def _show(axes, item: FinishedRun, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_title(run_title(item), fontsize="medium")
    axes.set_axis_off()
