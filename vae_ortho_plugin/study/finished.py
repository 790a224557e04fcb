# SPDX-License-Identifier: Apache-2.0
"""Reads the finished runs of a study's output directory; needs neither TensorFlow nor dlib."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vae_ortho_plugin.study.experiments import Cell, Row, Run


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
    def cell(self) -> Cell:
        return self.run.cell

    def metric(self, name: str, key: str | None = None) -> float | None:
        """What metric `name` says under `key` (by default its own name); None where it says nothing."""
        return self.metrics.get(name, {}).get(key or name)

    def tracked(self, name: str, key: str) -> list | float | None:
        """What was tracked while the model trained; None where nothing was."""
        return self.training.get(name, {}).get(key)

    def last_tracked(self, name: str, key: str) -> float | None:
        """The last of the values that were tracked while the model trained; None without any."""
        values = self.tracked(name, key)
        return values[-1] if values else None


def read_finished(output: Path, cells: Iterable[Cell]) -> list[FinishedRun]:
    """The finished runs of `cells` below `output`, by cell and seed.

    Those of shortened runs and of data with another origin are of cells of their own, whose rows say
    so, so that they are never taken together with the study's own.
    """
    finished = []
    for cell in cells:
        for row in _made_rows(output, cell.row):
            folder = output / "runs" / row.name / cell.model
            seeds = sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())
            finished.extend(_read(folder / str(seed), row, cell.model, seed) for seed in seeds)
    return finished


def _made_rows(output: Path, row: Row) -> list[Row]:
    """The row and its shortened ones that have a folder, the longest first."""
    lengths = (
        re.fullmatch(r"-([0-9]+)-epochs", path.name.removeprefix(row.name))
        for path in output.glob(f"runs/{row.name}-*-epochs")
    )
    rows = {row, *(row.shortened(int(match[1])) for match in lengths if match)}
    return sorted(rows, key=lambda made: -made.epochs)


def _read(directory: Path, row: Row, model: str, seed: int) -> FinishedRun:
    facts = json.loads((directory / "run.json").read_text())
    data = facts.get("data", {})
    if "origin" in data:
        row = row.remarked(data["origin"])
    metrics = {
        path.parents[2].name: json.loads(path.read_text())
        for path in directory.glob("metrics/mean/*/results/json/evaluation_results.json")
    }
    training = directory / "model/results/json/train_results.json"
    return FinishedRun(
        Run(Cell(row, model), seed),
        metrics,
        training=json.loads(training.read_text()) if training.is_file() else {},
        curves=facts["curves"],
        data=data,
        seconds=facts["seconds"],
        versions=facts["versions"],
        directory=directory,
    )
