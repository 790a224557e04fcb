# SPDX-License-Identifier: Apache-2.0
"""Suppl. C: DtO and disentanglement over β."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import SWEPT_BETAS, Experiment, beta_experiment
from vae_ortho_plugin.study.report import entries, pictures
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Picture, Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_BETAS = {
    beta_experiment(variant, beta): (variant, beta)
    for variant, betas in SWEPT_BETAS.items()
    for beta in betas
}
_MEASURES = {"dto": "DtO ↓", "disentanglement_score": "Disent. ↑"}


def section(results: Results) -> Section | None:
    experiments = results.experiments(planned=_BETAS)
    experiments.sort(
        key=lambda experiment: (
            list(SWEPT_BETAS).index(_variant(experiment)),
            experiment.data.remarks,
            _beta(experiment),
        )
    )
    # The β-VAE of Table 2 alone is no sweep.
    experiments = [
        experiment
        for experiment in experiments
        if sum(_series(experiment) == _series(other) for other in experiments) > 2
    ]
    if not experiments:
        return None
    found = entries.dto_and_score(results, experiments)
    blocks: list = [
        (
            "β-VAEs that differ from those of Table 2 in β alone. The paper shows this as a figure, without "
            "numbers."
        )
    ]
    if any(entry.ours for entry in found):
        blocks.append(Picture("beta_sweep", "DtO and disentanglement over β", _curves(found)))
    return Section("Supplement C: sweep of β", [*blocks, _table(found)])


def _variant(experiment: Experiment):
    return _BETAS[experiment.as_planned][0]


def _beta(experiment: Experiment) -> float:
    return _BETAS[experiment.as_planned][1]


def _series(experiment: Experiment) -> str:
    remarks = f" ({', '.join(experiment.data.remarks)})" if experiment.data.remarks else ""
    return _variant(experiment).plain_title + remarks


def _curves(found: Sequence[Entry]) -> Figure:
    series = list(dict.fromkeys(_series(entry.experiment) for entry in found if entry.ours))
    figure, panels = pictures.panels(len(series), width=4.6, height=3.4)
    for axes, name in zip(panels, series, strict=True):
        for measure, color in zip(_MEASURES, pictures.COLORS, strict=False):
            shown = [
                entry
                for entry in found
                if entry.ours and entry.measure == measure and _series(entry.experiment) == name
            ]
            axes.errorbar(
                [_beta(entry.experiment) for entry in shown],
                [entry.ours.mean for entry in shown],
                yerr=[entry.ours.sd or 0 for entry in shown],
                color=color,
                marker="o" if measure == "dto" else "s",
                capsize=3,
                label=_MEASURES[measure],
            )
        axes.set_title(name)
        axes.set_xlabel("β")
        axes.set_ylabel("mean ± standard deviation")
        axes.set_xscale("log")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    return figure


def _table(found: Sequence[Entry]) -> Table:
    pairs = list(zip(found[::2], found[1::2], strict=True))
    return Table(
        "beta_sweep",
        ["data set", "β", "n", *_MEASURES.values()],
        [
            [
                _series(dto.experiment),
                f"{_beta(dto.experiment):g}",
                entries.count_column(dto),
                entries.ours_text(dto),
                entries.ours_text(score),
            ]
            for dto, score in pairs
        ],
        [{"beta": _beta(entry.experiment), **entries.record(entry)} for entry in found],
    )
