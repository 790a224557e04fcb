# SPDX-License-Identifier: Apache-2.0
"""What the study plans and has not finished."""

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section


def section(results: Results) -> Section | None:
    lines = []
    for experiment, planned in results.plan.items():
        n = len(results.runs([experiment]))
        if n < planned:
            lines.append(
                f"- {experiment.data.title}, {MODEL_TITLES[experiment.model]}: {n} of {planned} seeds"
            )
    if not lines:
        return None
    return Section(
        "What is missing",
        [f"`vae_ortho_study --study {results.study}` makes it.", "\n".join(lines)],
    )
