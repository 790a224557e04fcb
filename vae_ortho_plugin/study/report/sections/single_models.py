# SPDX-License-Identifier: Apache-2.0
"""What `dlib_reproduce` drew of single models: the unit square in latent space, latents by σ, reconstructions."""

from functools import partial

import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, grouped

# disentanglement_lib's picture has 8 rows of pairs.
_PAIR_ROWS, _SHOWN_PAIR_ROWS = 8, 2
_MAX_SEEDS = 3
_KINDS = {"latents_by_sigma": "Latents by σ", "reconstructions": "Reconstructions"}
_IMAGES = (
    "The lowest finished seed of each model. Latents: a row a latent, by increasing mean σ (Supplement C), moved "
    "by −2.5 to 2.5 around the mean of one image; an autoencoder has no noise, and its rows follow their share. "
    "Reconstructions: pairs of an image and its reconstruction."
)

_LATENT_SPACE = (
    "An evenly spaced grid of the two factors, as the encoder maps it: aligned axes are "
    f"disentangled factors. A column a model, the lowest seeds (at most {_MAX_SEEDS})."
)


def latent_space(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.experiments(SHOWN_VARIANTS))
        if item.files.latent_grid.is_file()
    ]
    blocks: list = [_LATENT_SPACE]
    for data, of_data in grouped(runs, "data").items():
        shown = [of_model[:_MAX_SEEDS] for of_model in grouped(of_data, "model").values()]
        files = tuple(item.files.latent_grid for of_model in shown for item in of_model)
        title = f"Latent space, {data.title}"
        picture = Picture(f"latent_space_{data.name}", title, _draw_grids, shown, files)
        blocks += [f"### {data.title}", picture]
    return Section("Latent space", blocks) if runs else None


def _draw_grids(shown: list[list[FinishedRun]]) -> Figure:
    figure, panels = pictures.panels(max(map(len, shown)), len(shown), 2.9, 3.1, legend=1)
    for axes in panels.flat:
        axes.set_axis_off()
    for column, of_model in zip(panels.T, shown, strict=True):
        for axes, item in zip(column, of_model, strict=False):
            axes.set_axis_on()
            with np.load(item.files.latent_grid) as file:
                pictures.draw_latent_grid(axes, file["latents"])
            score = item.metric("disentanglement_score")
            numbers = f"DtO {item.metric('dto'):.2f}, disent. {score:.2f}"
            axes.set_title(f"{pictures.run_title(item)}\n{numbers}", fontsize="small")
    figure.legend(handles=pictures.grid_legend(), loc="lower center", ncols=2, frameon=False)
    return figure


def images(results: Results) -> Section | None:
    blocks: list = []
    runs = results.runs(results.experiments(SHOWN_VARIANTS))
    for data, of_data in grouped(runs, "data").items():
        drawn = []
        for name, kind in _KINDS.items():
            there = [item for item in of_data if getattr(item.files, name).is_file()]
            shown = [of_model[0] for of_model in grouped(there, "model").values()]
            files = tuple(getattr(item.files, name) for item in shown)
            if shown:
                title, draw = f"{kind}, {data.title}", partial(_draw, name)
                drawn.append(Picture(f"{name}_{data.name}", title, draw, shown, files))
        if drawn:
            blocks += [f"### {data.title}", *drawn]
    return Section("Latents and reconstructions of images", [_IMAGES, *blocks]) if blocks else None


def _draw(name: str, runs: list[FinishedRun]) -> Figure:
    """The pictures of this name that single models have, one below the other."""
    drawn = [matplotlib.image.imread(getattr(item.files, name)) for item in runs]
    if name == "reconstructions":
        drawn = [one[: len(one) // _PAIR_ROWS * _SHOWN_PAIR_ROWS] for one in drawn]
        width, height = 7, 1.3
    else:
        width = drawn[0].shape[1] / pictures.DPI + 0.1
        height = max(map(len, drawn)) / pictures.DPI + 0.35
    figure, panels = pictures.panels(len(runs), 1, width, height, images=True)
    for axes, item, picture in zip(panels[:, 0], runs, drawn, strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes.set_title(pictures.run_title(item), fontsize="medium")
        axes.set_axis_off()
    return figure
