# SPDX-License-Identifier: Apache-2.0
"""Reconstructions and latent traversals of image data, from the pictures of dlib_reproduce."""

import matplotlib.image
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
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
        traversals = tuple(item.files.traversals for item in shown)
        reconstructions = tuple(item.files.reconstructions for item in shown)
        blocks.append(f"### {data.title}")
        for kind, draw, files in (
            ("Traversals", _traversals, traversals),
            ("Reconstructions", _reconstructions, reconstructions),
        ):
            name, title = f"{kind.lower()}_{data.name}", f"{kind}, {data.title}"
            blocks.append(Picture(name, title, draw, shown, files))
    return Section("Traversals and reconstructions", blocks)


def _traversals(runs: list[FinishedRun]) -> Figure:
    figure, panels = pictures.panels(1, len(runs), 2.4, 4.4, images=True)
    for axes, item in zip(panels[0], runs, strict=True):
        _show(axes, item, matplotlib.image.imread(item.files.traversals))
    return figure


def _reconstructions(runs: list[FinishedRun]) -> Figure:
    figure, panels = pictures.panels(len(runs), 1, 7, 1.3, images=True)
    for axes, item in zip(panels[:, 0], runs, strict=True):
        picture = matplotlib.image.imread(item.files.reconstructions)
        _show(axes, item, picture[: len(picture) // _PAIR_ROWS * _SHOWN_PAIR_ROWS])
    return figure


def _show(axes, item: FinishedRun, picture) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_title(pictures.run_title(item), fontsize="medium")
    axes.set_axis_off()
