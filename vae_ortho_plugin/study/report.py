# SPDX-License-Identifier: Apache-2.0
"""Writes a study's report from whatever is finished."""

from pathlib import Path

from vae_ortho_plugin.study import paper_targets, pictures, tables
from vae_ortho_plugin.study.cells import MNIST_SHORT, TABLE_ROWS, Cell
from vae_ortho_plugin.study.finished import FinishedRun, read_finished
from vae_ortho_plugin.study.pool import duration
from vae_ortho_plugin.study.studies import Plan, plan_of

TABLE_2_ROWS = (*TABLE_ROWS, MNIST_SHORT)

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
        study: name of the study, whose cells and planned seeds the report covers.
        output: the study's directory, with its runs in runs/.
    """
    plan = plan_of(study)
    finished = read_finished(output, plan)
    plan = with_shortened(plan, finished)
    rows = list(dict.fromkeys(cell.row for cell in plan))
    entries = tables.table_2(
        finished,
        {cell: seeds for cell, seeds in plan.items() if cell.row.whole in TABLE_2_ROWS},
    )
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
        _overview(finished, sum(plan.values())),
        "## Table 2",
        tables.to_markdown(entries),
        _TABLE_2_NOTE,
        "## Order",
        (
            f"Pairs of models whose mean DtO differ by {tables.APART} or more in the paper. `?`: our "
            "seeds do not tell the two apart (Welch's t-test, p above 5 %)."
        ),
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


def with_shortened(plan: Plan, finished: list[FinishedRun]) -> Plan:
    """The plan with the cells of shortened runs, as many seeds as of the whole ones.

    A cell that has shortened runs alone is no longer planned at its full length.
    """
    found = {item.run.cell for item in finished}
    shortened: dict[Cell, list[Cell]] = {}
    for cell in found:
        if cell.row.shortened_from:
            shortened.setdefault(Cell(cell.row.shortened_from, cell.model), []).append(cell)
    result = {}
    for cell, seeds in plan.items():
        if cell in found or cell not in shortened:
            result[cell] = seeds
        for short in sorted(shortened.get(cell, []), key=lambda short: -short.row.epochs):
            result[short] = seeds
    return result


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
