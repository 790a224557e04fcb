# SPDX-License-Identifier: Apache-2.0
"""Suppl. C: Synth. Lin. with axes of other ratios."""

from vae_ortho_plugin.study.experiments import AXIS_RATIOS, axis_ratio_experiment
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.paper_targets import AXIS_RATIOS as TARGETS
from vae_ortho_plugin.study.report.paper_targets import target
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table

_RATIOS = {axis_ratio_experiment(ratio): ratio for ratio in AXIS_RATIOS}


def section(results: Results) -> Section | None:
    experiments = results.experiments(planned=_RATIOS)
    if len({experiment.as_planned for experiment in experiments}) < 2:
        return None  # the β-VAE of Table 2 alone
    experiments.sort(
        key=lambda experiment: (experiment.data.remarks, _RATIOS[experiment.as_planned])
    )
    lines, records = [], []
    for experiment in experiments:
        ratio = _RATIOS[experiment.as_planned]
        pair = [
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
        lines.append(
            [
                f"{ratio:g}" + "".join(f" ({remark})" for remark in experiment.data.remarks),
                entries.count_column(pair[0]),
                *entries.number_columns(pair[0]),
                *entries.number_columns(pair[1]),
            ]
        )
        records += [{"axis_ratio": ratio, **entries.record(entry)} for entry in pair]
    columns = [
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
