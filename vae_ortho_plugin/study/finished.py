# SPDX-License-Identifier: Apache-2.0
"""Reads the finished runs of a study's output directory; needs neither TensorFlow nor dlib."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vae_ortho_plugin.study.cells import Cell, Run


@dataclass(frozen=True)
class FinishedRun:
    """A run and what came of it.

    Attributes:
        measures: 'dto' and, for data with factors, 'disentanglement_score'.
        curves: training curves, tag -> [steps, values].
        seconds: how long it took.
        versions: of what made it, name -> version.
        directory: where it lies; None for numbers without files.
    """

    run: Run
    measures: dict[str, float]
    curves: dict[str, list[list[float]]]
    seconds: float = 0.0
    versions: dict[str, str] | None = None
    directory: Path | None = None


def read_finished(output: Path, cells: Iterable[Cell]) -> list[FinishedRun]:
    """The finished runs of `cells` below `output`, by cell and seed."""
    finished = []
    for cell in cells:
        folder = output / "runs" / cell.row.name / cell.model
        seeds = sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
        finished.extend(_read(folder / str(seed), Run(cell, seed)) for seed in seeds)
    return finished


def _read(directory: Path, run: Run) -> FinishedRun:
    facts = json.loads((directory / "run.json").read_text())
    measures = {}
    for measure in ("dto", "disentanglement_score"):
        path = directory / f"metrics/mean/{measure}/results/json/evaluation_results.json"
        if path.is_file():
            measures[measure] = json.loads(path.read_text())[measure]
    return FinishedRun(
        run, measures, facts["curves"], facts["seconds"], facts["versions"], directory
    )
