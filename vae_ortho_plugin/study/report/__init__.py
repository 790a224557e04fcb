# SPDX-License-Identifier: Apache-2.0
"""Writes a study's report from whatever is finished; one module a kind of section."""

from collections.abc import Collection
from pathlib import Path

from vae_ortho_plugin.study.experiments import Cell
from vae_ortho_plugin.study.finished import read_finished
from vae_ortho_plugin.study.plans import plan_of
from vae_ortho_plugin.study.report import document, entries
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section
from vae_ortho_plugin.study.report.sections import (
    axis_ratios,
    beta_sweep,
    dto_disentanglement,
    figure_4,
    images,
    latent_space,
    mechanism,
    missing,
    over_training,
    pca,
    provenance,
    table_1,
    table_2,
)
from vae_ortho_plugin.study.run.pool import duration

_SECTIONS = (
    table_1,
    table_2,
    dto_disentanglement,
    figure_4,
    over_training,
    latent_space,
    images,
    pca,
    mechanism,
    beta_sweep,
    axis_ratios,
    missing,
    provenance,
)


def write_report(study: str, output: Path, cells: Collection[Cell] | None = None) -> Path:
    """Writes report.md, report.html, tables/ and pictures/ in `output`; returns report.md's path.

    Args:
        study: name of the study, whose cells and planned seeds the report covers.
        output: the study's directory, with its runs in runs/.
        cells: those of the study's that the report covers besides the ones with finished runs; None:
            all.
    """
    plan = plan_of(study)
    finished = read_finished(output, plan)
    if cells is not None:
        covered = {*cells, *(item.cell.study_cell for item in finished)}
        plan = {cell: seeds for cell, seeds in plan.items() if cell in covered}
    results = Results.of(study, plan, finished)
    sections = [_overview(results), *(module.section(results) for module in _SECTIONS)]
    return document.write(
        f"Report of study {study}", [section for section in sections if section], output
    )


def _overview(results: Results) -> Section:
    planned, finished = sum(results.plan.values()), results.finished
    if not finished:
        return Section("Overview", [f"None of {planned} runs is finished."])
    versions = {
        ", ".join(f"{name} {version}" for name, version in item.versions.items())
        for item in finished
    }
    remarks = dict.fromkeys(remark for item in finished for remark in item.cell.row.remarks)
    text = (
        f"{len(finished)} finished runs ({planned} planned), "
        f"{duration(sum(item.seconds for item in finished))} of computing on all workers together. "
        f"Made with {'; '.join(sorted(versions))}."
    )
    if remarks:
        text += f" Some are not what the paper made, and say so: {', '.join(remarks)}."
    return Section("Overview", [text, entries.LEGEND])
