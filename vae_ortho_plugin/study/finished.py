# SPDX-License-Identifier: Apache-2.0
"""Reads the finished runs of a study's output directory; needs neither TensorFlow nor dlib."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vae_ortho_plugin.study.cells import Cell, Run


@dataclass(frozen=True)
class FinishedRun:
    """A run and what came of it.

    Attributes:
        metrics: name of a metric's gin file -> what the metric returned.
        training: dlib's results of the training, and what was tracked in it.
        curves: training curves, tag -> [steps, values].
        data: facts about the data that a reader must know, such as random weights.
        seconds: how long it took.
        versions: of what made it, name -> version.
        directory: where it lies; None for numbers without files.
    """

    run: Run
    metrics: dict[str, dict]
    training: dict = field(default_factory=dict)
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None

    @property
    def measures(self) -> dict[str, float]:
        """Those of Table 2: 'dto' and, for data with factors, 'disentanglement_score'."""
        names = ("dto", "disentanglement_score")
        return {name: self.metrics[name][name] for name in names if name in self.metrics}


def read_finished(output: Path, cells: Iterable[Cell]) -> list[FinishedRun]:
    """The finished runs of `cells` below `output`, shortened ones too, by cell and seed."""
    finished = []
    for cell in cells:
        for found, folder in _folders(output, cell):
            seeds = sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
            finished.extend(_read(folder / str(seed), Run(found, seed)) for seed in seeds)
    return finished


def _folders(output: Path, cell: Cell) -> list[tuple[Cell, Path]]:
    """The folder of the cell and those of its shortened runs, the longest first."""
    row, model = cell.row, cell.model
    lengths = (
        re.fullmatch(r"-([0-9]+)-epochs", path.name.removeprefix(row.name))
        for path in output.glob(f"runs/{row.name}-*-epochs")
    )
    rows = [row.shortened(int(match[1])) for match in lengths if match]
    return [
        (Cell(found, model), output / "runs" / found.name / model)
        for found in (row, *sorted(rows, key=lambda found: -found.epochs))
    ]


def _read(directory: Path, run: Run) -> FinishedRun:
    facts = json.loads((directory / "run.json").read_text())
    metrics = {
        path.parents[2].name: json.loads(path.read_text())
        for path in directory.glob("metrics/mean/*/results/json/evaluation_results.json")
    }
    training = directory / "model/results/json/train_results.json"
    return FinishedRun(
        run,
        metrics,
        json.loads(training.read_text()) if training.is_file() else {},
        facts["curves"],
        facts.get("data", {}),
        facts["seconds"],
        facts["versions"],
        directory,
    )
