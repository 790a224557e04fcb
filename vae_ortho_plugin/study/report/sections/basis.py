# SPDX-License-Identifier: Apache-2.0
"""What the report rests on: finished and missing runs, sources, our choices, facts about the data."""

from collections.abc import Iterable
from pathlib import Path

from vae_ortho_plugin.study import report
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, TABLE_VARIANTS
from vae_ortho_plugin.study.plan.schedule import duration
from vae_ortho_plugin.study.report import tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results

_TITLES = {data.data_set: data.plain_title for data in TABLE_VARIANTS}


def overview(results: Results) -> Section:
    planned, finished = sum(results.plan.values()), results.finished
    if not finished:
        return Section("Overview", [f"None of {planned} runs is finished."])
    versions = {
        ", ".join(f"{name} {version}" for name, version in item.versions.items())
        for item in finished
    }
    text = (
        f"{len(finished)} finished runs ({planned} planned), "
        f"{duration(sum(item.seconds for item in finished))} of computing on all workers together. "
        f"Made with {'; '.join(sorted(versions))}."
    )
    remarks = dict.fromkeys(remark for item in finished for remark in item.experiment.data.remarks)
    if remarks:
        text += f" Some are not what the paper made, and say so: {', '.join(remarks)}."
    return Section("Overview", [text, tables.LEGEND])


def missing(results: Results) -> Section | None:
    """What the study plans and has not finished."""
    counts = {experiment: len(results.runs([experiment])) for experiment in results.plan}
    lines = [
        f"{one.data.title}, {MODEL_TITLES[one.model]}: {counts[one]} of {planned} seeds"
        for one, planned in results.plan.items()
        if counts[one] < planned
    ]
    command = f"`vae_ortho_study --study {results.study}` makes it."
    return Section("What is missing", [command, _items(lines)]) if lines else None


def sources(results: Results) -> Section:
    blocks = [Path(report.__file__).with_name("sources.md").read_text(encoding="utf-8").rstrip()]
    facts = {}
    for item in results.finished:
        title, data = _TITLES[item.experiment.data.data_set], item.data_facts
        if "origin" in data:
            facts[f"{title}: {data['origin']}, not the original data"] = None
        if "weight_seed" in data:
            seed = data["weight_seed"]
            facts[f"{title}: weight_seed = {seed}; each run's run.json has the weights"] = None
    if facts:
        blocks += ["Data of these runs:", _items(facts)]
    return Section("What the numbers rest on", blocks)


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
