# SPDX-License-Identifier: Apache-2.0
"""What the report rests on: missing runs, sources, our choices, facts about the data."""

from pathlib import Path

from vae_ortho_plugin.study import report
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, TABLE_VARIANTS
from vae_ortho_plugin.study.plan.schedule import duration
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results

_TITLES = {data.data_set: data.plain_title for data in TABLE_VARIANTS}


def missing(results: Results) -> Section | None:
    """What the study plans and has not finished."""
    lines = [
        f"- {one.data.title}, {MODEL_TITLES[one.model]}: {made} of {planned} seeds"
        for one, (made, planned) in results.missing().items()
    ]
    command = (
        f"`vae_ortho_study --study {results.study}`, with this folder as `--output`, makes it."
    )
    return Section("What is missing", [command, "\n".join(lines)]) if lines else None


def sources(results: Results) -> Section:
    blocks = [Path(report.__file__).with_name("sources.md").read_text(encoding="utf-8").rstrip()]
    facts = []
    for item in results.finished:
        title, data = _TITLES[item.experiment.data.data_set], item.data_facts
        if "origin" in data:
            facts.append(f"- {title}: {data['origin']}, not the original data")
        if "weight_seed" in data:
            seed = data["weight_seed"]
            facts.append(f"- {title}: weight_seed = {seed}; each run's run.json has the weights")
    if facts:
        blocks += ["Data of these runs:", "\n".join(dict.fromkeys(facts))]
    if results.finished:
        seconds = duration(sum(item.seconds for item in results.finished))
        versions = {
            ", ".join(f"{name} {version}" for name, version in item.versions.items())
            for item in results.finished
        }
        blocks.append(
            f"{seconds} of computing on all workers together. Made with {'; '.join(sorted(versions))}."
        )
    return Section("What the numbers rest on", blocks)
