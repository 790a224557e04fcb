# SPDX-License-Identifier: Apache-2.0
"""Suppl. C: Synth. Lin. with axes of other ratios."""

from collections import Counter

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import (
    AXIS_RATIOS,
    SYNTH_LINEAR,
    SYNTH_LINEAR_64,
    Experiment,
    axis_ratio_experiment,
)
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.paper_targets import AXIS_RATIOS as TARGETS
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table
from vae_ortho_plugin.study.report.statistics import Entry

_RATIOS = {
    axis_ratio_experiment(ratio, data): (data, ratio)
    for data in (SYNTH_LINEAR, SYNTH_LINEAR_64)
    for ratio in AXIS_RATIOS
}


def section(results: Results) -> Section | None:
    experiments = results.experiments(planned=_RATIOS)
    planned = {experiment.as_planned for experiment in experiments}
    # The β-VAE of Table 2 alone is no series.
    ratios = Counter(_data(experiment) for experiment in planned)
    experiments = [experiment for experiment in experiments if ratios[_data(experiment)] > 1]
    if not experiments:
        return None
    experiments.sort(
        key=lambda experiment: (
            _data(experiment) == SYNTH_LINEAR_64,
            experiment.data.remarks,
            _ratio(experiment),
        )
    )
    lines, records = [], []
    for experiment in experiments:
        pair = _entries(results, experiment)
        lines.append(
            [
                _data(experiment).plain_title,
                f"{_ratio(experiment):g}"
                + "".join(f" ({remark})" for remark in experiment.data.remarks),
                entries.count_column(pair[0]),
                *entries.number_columns(pair[0]),
                *entries.number_columns(pair[1]),
            ]
        )
        records += [{"axis_ratio": _ratio(experiment), **entries.record(entry)} for entry in pair]
    columns = [
        "data set",
        "axis ratio",
        "n",
        "DtO ↓",
        "95 %",
        "paper",
        "Disent. ↑",
        "95 %",
        "paper",
    ]
    return Section(
        "Supplement C: axis ratios",
        [
            (
                "Synth. Lin. with axes closer in length than 2 : 1. The lengths distinguish the axes; at 1 the "
                "principal directions are arbitrary. The paper's numbers are at second hand."
            ),
            Table("axis_ratios", columns, lines, records),
        ],
    )


def _entries(results: Results, experiment: Experiment) -> list[Entry]:
    """DtO and score."""
    ratio = _ratio(experiment)
    return [
        entries.entry(
            results,
            experiment,
            measure,
            lambda item, measure=measure: item.metric(measure),
            TARGETS[ratio][measure]
            if ratio in TARGETS
            else target("synth_linear", measure, experiment.model),
        )
        for measure in ("dto", "disentanglement_score")
    ]


def _data(experiment: Experiment) -> DataVariant:
    return _RATIOS[experiment.as_planned][0]


def _ratio(experiment: Experiment) -> float:
    return _RATIOS[experiment.as_planned][1]
