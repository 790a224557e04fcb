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
    if not runs:
        return None
    blocks: list = [_TEXT]
    for data, of_data in grouped(runs, "data").items():
        title = f"Latent space, {data.title}"
        picture = Picture(f"latent_space_{data.name}", title, _grids(grouped(of_data, "model")))
        blocks += [f"### {data.title}", picture]
    return Section("Latent space", blocks)


def _grids(of_model: dict[str, list[FinishedRun]]) -> Figure:
    height = min(_MAX_SEEDS, max(map(len, of_model.values())))
    figure = Figure(figsize=(2.9 * len(of_model), 2.9 * height + 0.5), layout="constrained")
    panels = figure.subplots(height, len(of_model), squeeze=False)
    for column, items in zip(panels.T, of_model.values(), strict=True):
        for index, axes in enumerate(column):
            if index >= len(items):
                axes.set_axis_off()
                continue
            item = items[index]
            with np.load(item.files.latent_grid) as file:
                pictures.draw_latent_grid(axes, file["latents"])
            axes.set_title(f"{pictures.run_title(item)}\n{_measures(item)}", fontsize="medium")
    figure.legend(
        handles=pictures.grid_legend(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def _measures(item: FinishedRun) -> str:
    return f"DtO {item.metric('dto'):.2f}, disent. {item.metric('disentanglement_score'):.2f}"
