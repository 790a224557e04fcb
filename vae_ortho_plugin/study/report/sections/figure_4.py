# SPDX-License-Identifier: Apache-2.0
"""Figure 4: DtO against disentanglement over restarts of dSprites' β-VAE with 10, 30 and 50 epochs."""

from matplotlib.figure import Figure
from scipy import stats

from vae_ortho_plugin import pictures
from vae_ortho_plugin.study import experiments
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, finished_variants
from vae_ortho_plugin.study.report.section import Picture, Section

_EXPERIMENTS = [experiments.figure_4_experiment(number) for number in experiments.FIGURE_4_EPOCHS]
_MARKERS = "osD^vP"


def section(results: Results) -> Section | None:
    planned = results.experiments(planned=_EXPERIMENTS)
    if not planned:
        return None
    runs = [
        item for item in results.runs(planned) if item.metric("disentanglement_score") is not None
    ]
    counts = {
        experiment: sum(item.experiment == experiment for item in runs) for experiment in planned
    }
    lengths = "; ".join(f"{experiment.data.title}: {n} runs" for experiment, n in counts.items())
    blocks: list = [
        (
            "Each point is a restart of dSprites' β-VAE (β = 4) with 10, 30 or 50 epochs, where the paper "
            f"finds a low DtO to go with a high disentanglement score. {lengths}."
        ),
    ]
    if runs:
        blocks.append(Picture("figure_4", "Figure 4", _scatter(runs)))
    # Rendered and published files are two data sets.
    for origin in dict.fromkeys(map(_origin, runs)) or [""]:
        chosen = [item for item in runs if _origin(item) == origin]
        blocks.append(f"Correlation{origin}: {correlation(chosen)}")
    return Section("Figure 4: orthogonality and disentanglement", blocks)


def correlation(runs: list[FinishedRun]) -> str:
    """Both coefficients of DtO and disentanglement, or why there are none."""
    dto = [item.metric("dto") for item in runs]
    score = [item.metric("disentanglement_score") for item in runs]
    if len(runs) < 3 or len(set(dto)) < 2 or len(set(score)) < 2:
        return "none yet; it takes at least three runs that differ."
    pearson, spearman = stats.pearsonr(dto, score), stats.spearmanr(dto, score)
    text = f"{len(runs)} runs, Pearson {pearson.statistic:.2f} (p = {pearson.pvalue:.2g}"
    if len(runs) > 3:
        low, high = pearson.confidence_interval()
        text += f", 95 % interval {low:.2f} to {high:.2f}"
    return f"{text}), Spearman {spearman.statistic:.2f} (p = {spearman.pvalue:.2g})."


def _origin(item: FinishedRun) -> str:
    return f", {item.data_facts['origin']}" if "origin" in item.data_facts else ""


def _scatter(runs: list[FinishedRun]) -> Figure:
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, variant in enumerate(finished_variants(runs)):
        chosen = [item for item in runs if item.experiment.data == variant]
        axes.scatter(
            [item.metric("dto") for item in chosen],
            [item.metric("disentanglement_score") for item in chosen],
            color=pictures.COLORS[index % len(pictures.COLORS)],
            marker=_MARKERS[index % len(_MARKERS)],
            alpha=0.8,
            label=f"{variant.epochs} epoch{'s' * (variant.epochs > 1)}{_origin(chosen[0])}",
        )
    axes.set_xlabel("distance to orthogonality (DtO)")
    axes.set_ylabel("disentanglement score")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    return figure
