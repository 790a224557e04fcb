# SPDX-License-Identifier: Apache-2.0
"""Writes a study's report from whatever is finished."""

from pathlib import Path

from vae_ortho_plugin.study import paper_targets, pictures, tables
from vae_ortho_plugin.study.cells import CELLS, STUDIES
from vae_ortho_plugin.study.finished import FinishedRun, read_finished
from vae_ortho_plugin.study.pool import duration

_PAPER = (
    "Rolinek, Zietlow, Martius: *Variational Autoencoders Pursue PCA Directions (by Accident)*, "
    "CVPR 2019"
)
_TABLE_2_NOTE = (
    "Mean ± standard deviation over n seeds, on the test split; beside each the paper's, whose "
    "number of restarts is not known. DtO: distance to orthogonality, 0 where the decoder's latents "
    "act along orthogonal directions. Disent.: disentanglement score, at most 1. "
    "[table_2.csv](table_2.csv) has the numbers unrounded."
)


def write_report(study: str, output: Path) -> Path:
    """Writes report.md, table_2.csv and pictures/ in `output`; returns the report's path.

    Args:
        study: name in STUDIES, whose cells and planned seeds the report covers.
        output: the study's directory, with its runs in runs/.
    """
    num_seeds = STUDIES[study]
    rows = list(num_seeds)
    finished = read_finished(output, [cell for cell in CELLS if cell.row in num_seeds])
    entries = tables.table_2(finished, num_seeds)
    grids = {
        f"Latent space, {row.title}": (f"latent_space_{row.name}", latents)
        for row in rows
        if (latents := pictures.latent_grids(finished, row))
    }
    figures = {
        **grids,
        "DtO against disentanglement": (
            "dto_disentanglement",
            pictures.dto_against_disentanglement(finished, rows),
        ),
        "Loss over training": ("loss", pictures.training_curves(finished, rows, "loss")),
    }
    sections = [
        f"# Report of study {study}",
        _overview(finished, sum(entry.planned for entry in entries if entry.measure == "dto")),
        "## Table 2",
        tables.to_markdown(entries),
        _TABLE_2_NOTE,
        "## Order",
        f"Pairs of models whose mean DtO differ by {tables.APART} or more in the paper:",
        tables.order_to_markdown(tables.compare_order(entries)),
    ]
    for title, (name, figure) in figures.items():
        if figure is not None:
            pictures.save(figure, output / "pictures" / f"{name}.png")
            sections += [f"## {title}", f"![{title}](pictures/{name}.png)"]
    sections += ["## What the numbers rest on", _provenance()]
    _write(output / "table_2.csv", tables.to_csv(entries))
    report = output / "report.md"
    _write(report, "\n\n".join(sections) + "\n")
    return report


def _overview(finished: list[FinishedRun], planned: int) -> str:
    if not finished:
        return f"None of {planned} runs is finished."
    versions = {
        ", ".join(f"{name} {version}" for name, version in item.versions.items())
        for item in finished
    }
    return (
        f"{len(finished)} finished runs ({planned} planned), "
        f"{duration(sum(item.seconds for item in finished))} of computing on all workers together. "
        f"Made with {'; '.join(sorted(versions))}."
    )


def _provenance() -> str:
    def items(lines: tuple[str, ...]) -> str:
        return "\n".join(f"- {line}" for line in lines)

    return (
        f"The protocol of {_PAPER}. From its supplement at second hand, not checked against the "
        f"original:\n\n{items(paper_targets.SECOND_HAND)}\n\n"
        f"Ours, where the paper is silent:\n\n{items(paper_targets.ASSUMED)}"
    )


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.rename(path)
