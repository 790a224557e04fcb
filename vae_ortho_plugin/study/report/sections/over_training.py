# SPDX-License-Identifier: Apache-2.0
"""Δ_KL, DtO and the loss while the models train."""

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from vae_ortho_plugin.study.plan.data_variants import with_10_latents
from vae_ortho_plugin.study.plan.experiments import COMPARED_VARIANTS, SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.model_styles import STYLES, model_title
from vae_ortho_plugin.study.report.results import Results, finished_variants
from vae_ortho_plugin.study.report.section import Picture, Section

Curve = tuple[list[float], list[float]]

_VARIANTS = (*SHOWN_VARIANTS, *map(with_10_latents, COMPARED_VARIANTS))
# Below it lies rounding.
_LEAST_DELTA_KL = 1e-6


def section(results: Results) -> Section | None:
    runs = results.runs(results.experiments(variants=_VARIANTS))
    blocks: list = []
    for name, title, note, curve, label, scale in (
        (
            "delta_kl",
            "Δ_KL over training",
            "A line a seed; dotted: the 3 % of Table 1.",
            _delta_kl,
            r"$\Delta_{KL}$",
            "log",
        ),
        (
            "dto_training",
            "DtO over training",
            "A line a seed, on a fixed set of points. Runs that end without an active latent are left out.",
            _dto,
            "distance to orthogonality (DtO)",
            "linear",
        ),
        ("loss", "Loss over training", "A line a seed.", _loss, "loss, mean of a batch", "log"),
    ):
        curves = [(item, curve(item)) for item in runs]
        curves = [(item, points) for item, points in curves if points and len(points[0]) > 1]
        if curves:
            figure = _draw(curves, label, scale, 0.03 if name == "delta_kl" else None)
            blocks += [f"### {title}", note, Picture(name, title, figure)]
    return Section("Over training", blocks) if blocks else None


def _delta_kl(item: FinishedRun) -> Curve | None:
    return _tracked(item, "polarized_regime", "delta_kl")


def _dto(item: FinishedRun) -> Curve | None:
    # A collapsed model's decoder is flat: the directions of its Jacobian are chance.
    if item.last_tracked("polarized_regime", "num_active") == 0:
        return None
    return _tracked(item, "dto_while_training", "dto")


def _loss(item: FinishedRun) -> Curve | None:
    return item.curves.get("loss")


def _tracked(item: FinishedRun, name: str, key: str) -> Curve | None:
    values = item.tracked(name, key)
    return (item.tracked(name, "steps"), values) if values else None


def _draw(
    curves: list[tuple[FinishedRun, Curve]], label: str, scale: str, threshold: float | None
) -> Figure:
    variants = finished_variants(item for item, _ in curves)
    figure, panels = pictures.panels(len(variants), width=4.6, height=3.4)
    for axes, variant in zip(panels, variants, strict=True):
        labelled = set()
        for item, (steps, values) in curves:
            model = item.experiment.model
            if item.experiment.data != variant:
                continue
            if threshold is not None:
                values = [max(value, _LEAST_DELTA_KL) for value in values]
            axes.plot(
                steps,
                values,
                color=STYLES[model][0],
                linewidth=1,
                alpha=0.6,
                label=None if model in labelled else model_title(model),
            )
            labelled.add(model)
        if threshold is not None:
            axes.axhline(threshold, color="black", linestyle=":", linewidth=1)
        axes.set_title(variant.title)
        axes.set_xlabel("training step (a batch each)")
        axes.set_ylabel(label)
        axes.set_xscale(scale)
        if scale == "linear":
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_yscale(scale)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    return figure
