# SPDX-License-Identifier: Apache-2.0
"""A study's plan and what of it is finished, as the sections of its report need it."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from vae_ortho_plugin.study.experiments import MODEL_TITLES, Cell, Row
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.plans import Plan

_MODELS = list(MODEL_TITLES)


@dataclass(frozen=True)
class Results:
    """Attributes:
    study: its name.
    plan: cell -> planned number of seeds; the cells of shortened runs and the like, too.
    finished: the finished runs of these cells.
    """

    study: str
    plan: Plan
    finished: list[FinishedRun]

    @classmethod
    def of(cls, study: str, plan: Plan, finished: list[FinishedRun]) -> "Results":
        """Adds to the plan the rows that runs were made of, with as many seeds as the study's own.

        A row of the study without any run as the study has it gives way to them.
        """
        made: dict[Row, dict[Row, None]] = {}
        for item in finished:
            made.setdefault(item.cell.row.study_row, {})[item.cell.row] = None
        return cls(
            study,
            {
                Cell(row, cell.model): seeds
                for cell, seeds in plan.items()
                for row in made.get(cell.row, [cell.row])
            },
            finished,
        )

    @property
    def rows(self) -> list[Row]:
        """Each row once, those of a data set together."""
        rows = list(dict.fromkeys(cell.row for cell in self.plan))
        data_sets = [row.data_set for row in rows]
        return sorted(rows, key=lambda row: data_sets.index(row.data_set))

    def cells(
        self, study_rows: Container[Row] | None = None, study_cells: Container[Cell] | None = None
    ) -> list[Cell]:
        """Planned cells, those that come of these rows or cells of the study, by row and model."""
        chosen = [
            cell
            for cell in self.plan
            if (study_rows is None or cell.row.study_row in study_rows)
            and (study_cells is None or cell.study_cell in study_cells)
        ]
        return sorted(
            chosen, key=lambda cell: (self.rows.index(cell.row), _MODELS.index(cell.model))
        )

    def runs(self, cells: Iterable[Cell]) -> list[FinishedRun]:
        """The finished runs of these cells, in the cells' order."""
        return [item for cell in cells for item in self.finished if item.cell == cell]

    def values(self, cell: Cell, get: Callable[[FinishedRun], float | None]) -> list[float]:
        """What `get` finds in the finished runs of a cell."""
        found = (get(item) for item in self.runs([cell]))
        return [value for value in found if value is not None]


def finished_rows(runs: Iterable[FinishedRun]) -> list[Row]:
    """The rows of runs, each once, in the runs' order."""
    return list(dict.fromkeys(item.cell.row for item in runs))
