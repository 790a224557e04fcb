# SPDX-License-Identifier: Apache-2.0
"""Δ_KL, DtO and the loss while the models train."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from vae_ortho_plugin.study.plan.data_variants import with_10_latents
from vae_ortho_plugin.study.plan.experiments import COMPARED_VARIANTS, SHOWN_VARIANTS
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, grouped

# Steps and values.
Curve = tuple[list[float], list[float]]

_VARIANTS = (*SHOWN_VARIANTS, *map(with_10_latents, COMPARED_VARIANTS))


def _delta_kl(item: FinishedRun) -> Curve | None:
    values = item.of_tracker("polarized_regime", "delta_kl")
    # What differs below 1e-6 is rounding.
    return values and (
        item.of_tracker("polarized_regime", "steps"),
        [max(one, 1e-6) for one in values],
    )


def _dto(item: FinishedRun) -> Curve | None:
    values = item.of_tracker("dto_while_training", "dto")
    # A collapsed model's decoder is flat: the directions of its Jacobian are chance.
    if item.last_of_tracker("polarized_regime", "num_active") == 0 or not values:
        return None
    return item.of_tracker("dto_while_training", "steps"), values


# Name of a picture -> its title, what is said of it, the curve of a run, the label of its axis.
_VIEWS: dict[str, tuple[str, str, Callable[[FinishedRun], Curve | None], str]] = {
    "delta_kl": (
        "Δ_KL over training",
        "A line a seed; dotted: the 3 % of Table 1.",
        _delta_kl,
        r"$\Delta_{KL}$",
    ),
    "dto_training": (
        "DtO over training",
        "A line a seed, on a fixed set of points. Runs that end without an active latent are left out.",
        _dto,
        "distance to orthogonality (DtO)",
    ),
    "loss": (
        "Loss over training",
        "A line a seed.",
        lambda item: item.curves.get("loss"),
        "loss, mean of a batch",
    ),
}


def section(results: Results) -> Section | None:
    variants = grouped(results.runs(results.experiments(_VARIANTS)), "data")
    blocks: list = []
    for name, (title, note, curve_of, label) in _VIEWS.items():
        curves = {
            data.title: [
                (item.experiment.model, *curve)
                for item in runs
                if (curve := curve_of(item)) and len(curve[0]) > 1
            ]
            for data, runs in variants.items()
        }
        curves = {of: of_data for of, of_data in curves.items() if of_data}
        if curves:
            picture = Picture(name, title, partial(_draw, name, label), curves)
            blocks += [f"### {title}", note, picture]
    return Section("Over training", blocks) if blocks else None


def _draw(
    name: str, label: str, curves: dict[str, list[tuple[str, list[float], list[float]]]]
) -> Figure:
    """Of each data set: the model, steps and values of each run."""
    scale = "linear" if name == "dto_training" else "log"
    figure, panels = pictures.panels_in_rows(len(curves), width=4.6, height=3.4)
    for axes, (title, of_data) in zip(panels, curves.items(), strict=True):
        labels = {}
        for model, steps, values in of_data:
            color = pictures.STYLES[model][0]
            (line,) = axes.plot(steps, values, color=color, linewidth=1, alpha=0.6)
            labels.setdefault(pictures.model_title(model), line)
        if name == "delta_kl":
            axes.axhline(0.03, color="black", linestyle=":", linewidth=1)
        axes.set_title(title)
        pictures.label_axes(axes, "training step (a batch each)", label)
        axes.set_xscale(scale)
        axes.set_yscale(scale)
        if scale == "linear":
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.minorticks_off()
        axes.legend(labels.values(), labels, loc="best", frameon=False, fontsize="small")
    return figure
