# SPDX-License-Identifier: Apache-2.0
"""The unit square of the synthetic sets in latent space."""

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.study.experiments import SHOWN_ROWS
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.results import Results, finished_rows
from vae_ortho_plugin.study.report.section import Picture, Section

_MAX_SEEDS = 3


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.cells(study_rows=SHOWN_ROWS))
        if (item.directory / pictures.GRID_FILE).is_file()
    ]
    if not runs:
        return None
    blocks: list = [
        (
            "An evenly spaced grid of the two factors, as the encoder maps it: aligned axes are "
            f"disentangled factors. A column a model, the lowest seeds (at most {_MAX_SEEDS})."
        )
    ]
    for row in finished_rows(runs):
        chosen = [item for item in runs if item.cell.row == row]
        title = f"Latent space, {row.title}"
        blocks += [f"### {row.title}", Picture(f"latent_space_{row.name}", title, _grids(chosen))]
    return Section("Latent space", blocks)


def _grids(runs: list[FinishedRun]) -> Figure:
    of_model: dict[str, list[FinishedRun]] = {}
    for item in runs:
        of_model.setdefault(item.cell.model, []).append(item)
    height = min(_MAX_SEEDS, max(map(len, of_model.values())))
    figure = Figure(figsize=(2.9 * len(of_model), 2.9 * height + 0.5), layout="constrained")
    panels = figure.subplots(height, len(of_model), squeeze=False)
    for column, items in zip(panels.T, of_model.values(), strict=True):
        for index, axes in enumerate(column):
            if index >= len(items):
                axes.set_axis_off()
                continue
            item = items[index]
            with np.load(item.directory / pictures.GRID_FILE) as file:
                pictures.draw_latent_grid(axes, file["latents"])
            axes.set_title(f"{pictures.run_title(item)}\n{_measures(item)}", fontsize="medium")
    figure.legend(
        handles=pictures.grid_legend(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def _measures(item: FinishedRun) -> str:
    return f"DtO {item.metric('dto'):.2f}, disent. {item.metric('disentanglement_score'):.2f}"
