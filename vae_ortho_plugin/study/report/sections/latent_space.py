# SPDX-License-Identifier: Apache-2.0
"""The unit square of the synthetic sets in latent space."""

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, grouped

_MAX_SEEDS = 3
_TEXT = (
    "An evenly spaced grid of the two factors, as the encoder maps it: aligned axes are "
    f"disentangled factors. A column a model, the lowest seeds (at most {_MAX_SEEDS})."
)


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.experiments(SHOWN_VARIANTS))
        if item.files.latent_grid.is_file()
    ]
    blocks: list = [_TEXT]
    for data, of_data in grouped(runs, "data").items():
        shown = [of_model[:_MAX_SEEDS] for of_model in grouped(of_data, "model").values()]
        files = tuple(item.files.latent_grid for of_model in shown for item in of_model)
        title = f"Latent space, {data.title}"
        picture = Picture(f"latent_space_{data.name}", title, _draw, shown, files)
        blocks += [f"### {data.title}", picture]
    return Section("Latent space", blocks) if runs else None


def _draw(shown: list[list[FinishedRun]]) -> Figure:
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
