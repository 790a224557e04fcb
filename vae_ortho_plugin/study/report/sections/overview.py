# SPDX-License-Identifier: Apache-2.0
"""How many runs are finished, what made them, and how to read the tables."""

from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section


def section(results: Results) -> Section:
    planned, finished = sum(results.plan.values()), results.finished
    if not finished:
        return Section("Overview", [f"None of {planned} runs is finished."])
    versions = {
        ", ".join(f"{name} {version}" for name, version in item.versions.items())
        for item in finished
    }
    remarks = dict.fromkeys(remark for item in finished for remark in item.experiment.data.remarks)
    text = (
        f"{len(finished)} finished runs ({planned} planned), "
        f"{duration(sum(item.seconds for item in finished))} of computing on all workers together. "
        f"Made with {'; '.join(sorted(versions))}."
    )
    if remarks:
        text += f" Some are not what the paper made, and say so: {', '.join(remarks)}."
    return Section("Overview", [text, entries.LEGEND])
