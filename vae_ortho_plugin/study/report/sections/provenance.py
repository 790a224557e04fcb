# SPDX-License-Identifier: Apache-2.0
"""What the numbers rest on: sources, our choices, facts about the data."""

from collections.abc import Iterable

from vae_ortho_plugin.study.plan.experiments import TABLE_VARIANTS
from vae_ortho_plugin.study.report import paper_targets
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section

_PAPER = (
    "Rolinek, Zietlow, Martius: *Variational Autoencoders Pursue PCA Directions (by Accident)*, "
    "CVPR 2019"
)

_TITLES = {variant.data_set: variant.plain_title for variant in TABLE_VARIANTS}


def section(results: Results) -> Section:
    facts = _data_facts(results)
    return Section(
        "What the numbers rest on",
        [
            f"The protocol of {_PAPER}. From its supplement at second hand, not checked against the original:",
            _items(paper_targets.SECOND_HAND),
            "Ours, where the paper is silent:",
            _items(paper_targets.ASSUMED),
            *(["Data of these runs:", _items(facts)] if facts else []),
        ],
    )


def _data_facts(results: Results) -> list[str]:
    facts = {}
    for item in results.finished:
        title = _TITLES[item.experiment.data.data_set]
        if "origin" in item.data_facts:
            facts[f"{title}: {item.data_facts['origin']}, not the original data"] = None
        if "weight_seed" in item.data_facts:
            seed = item.data_facts["weight_seed"]
            facts[f"{title}: weight_seed = {seed}; each run's run.json has the weights"] = None
    return list(facts)


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
