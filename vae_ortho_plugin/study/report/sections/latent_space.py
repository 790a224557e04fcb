# SPDX-License-Identifier: Apache-2.0
"""The unit square of the synthetic sets in latent space."""

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.model_styles import run_title
from vae_ortho_plugin.study.report.results import Results, finished_variants
from vae_ortho_plugin.study.report.section import Picture, Section

_MAX_SEEDS = 3


def section(results: Results) -> Section | None:
    runs = [
        item
        for item in results.runs(results.experiments(variants=SHOWN_VARIANTS))
        if item.files.latent_grid.is_file()
    ]
    if not runs:
        return None
    blocks: list = [
        (
            "An evenly spaced grid of the two factors, as the encoder maps it: aligned axes are "
            f"disentangled factors. A column a model, the lowest seeds (at most {_MAX_SEEDS})."
        )
    ]
    for variant in finished_variants(runs):
        chosen = [item for item in runs if item.experiment.data == variant]
        title = f"Latent space, {variant.title}"
        blocks += [
            f"### {variant.title}",
            Picture(f"latent_space_{variant.name}", title, _grids(chosen)),
        ]
    return Section("Latent space", blocks)


def _grids(runs: list[FinishedRun]) -> Figure:
    of_model: dict[str, list[FinishedRun]] = {}
    for item in runs:
        of_model.setdefault(item.experiment.model, []).append(item)
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
            axes.set_title(f"{run_title(item)}\n{_measures(item)}", fontsize="medium")
    figure.legend(
        handles=pictures.grid_legend(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def _measures(item: FinishedRun) -> str:
    return f"DtO {item.metric('dto'):.2f}, disent. {item.metric('disentanglement_score'):.2f}"
