# SPDX-License-Identifier: Apache-2.0
"""Which cells and how many seeds `vae_ortho_study --study NAME` makes; needs neither TF nor dlib."""

from collections.abc import Iterable, Mapping

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study import experiments
from vae_ortho_plugin.study.experiments import CELLS, SEEDS_PER_CELL, Cell, Run

Plan = Mapping[Cell, int]

_TABLE_1 = {cell: 10 for row in experiments.TABLE_ROWS for cell in experiments.table_1_cells(row)}
_TABLE_2 = {cell: 10 for cell in CELLS if cell.row in experiments.TABLE_ROWS}
_FIGURE_4 = {experiments.figure_4_cell(number): 10 for number in experiments.FIGURE_4_EPOCHS}
_SUPPLEMENT_C = {
    **{
        experiments.beta_cell(row, beta): 5
        for row, betas in experiments.SWEPT_BETAS.items()
        for beta in betas
    },
    **{experiments.axis_ratio_cell(ratio): 5 for ratio in experiments.AXIS_RATIOS},
}
_BATCH_16 = {cell: 10 for cell in CELLS if cell.row == experiments.SYNTH_LINEAR_BATCH_16}
_FULL = {**_BATCH_16, **_SUPPLEMENT_C, **_TABLE_1, **_TABLE_2, **_FIGURE_4}


def _part(*data_sets: str) -> Plan:
    return {cell: seeds for cell, seeds in _FULL.items() if cell.row.data_set in data_sets}


# Study name -> its cells and the planned number of seeds of each.
STUDIES: dict[str, Plan] = {
    "quick": {cell: 1 if cell.row == experiments.MNIST_SHORT else 5 for cell in CELLS[:10]},
    "synthetic": _part("synth_linear", "synth_nonlinear"),
    "mnist": _part("mnist", "fashion_mnist"),
    "dsprites": _part("dsprites"),
    "full": _FULL,
    "table_1": _TABLE_1,
    "table_2": _TABLE_2,
    "figure_4": _FIGURE_4,
    "supplement_c": _SUPPLEMENT_C,
}


def plan_of(study: str) -> Plan:
    """The study's cells and planned seeds, in the order of CELLS.

    Raises:
        InputError: there is no such study; the message has those that there are.
    """
    _check("study", [study], STUDIES)
    return {cell: STUDIES[study][cell] for cell in CELLS if cell in STUDIES[study]}


def select(
    study: str,
    models: Iterable[str] | None = None,
    rows: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    epochs: int | None = None,
) -> list[Run]:
    """The study's runs; None selects what the study has.

    Args:
        epochs: rows that train longer are shortened to so many epochs.

    Raises:
        InputError: a name that the study does not have, a number out of range, or nothing selected.
    """
    plan = plan_of(study)
    selected = list(plan)
    if models is not None:
        _check("model", models, {cell.model: None for cell in plan})
        selected = [cell for cell in selected if cell.model in set(models)]
    if rows is not None:
        _check("data set", rows, {cell.row.name: None for cell in plan})
        selected = [cell for cell in selected if cell.row.name in set(rows)]
    if not selected:
        raise InputError(
            f"Study {study!r} has none of these models on these data sets; "
            f"`vae_ortho_study --study {study} --list` prints what it has."
        )
    if seeds is not None:
        seeds = sorted(set(seeds))
        bad = [seed for seed in seeds if not 0 <= seed < SEEDS_PER_CELL]
        if bad:
            raise InputError(f"Seed {bad[0]} is not between 0 and {SEEDS_PER_CELL - 1}.")
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs {epochs}: at least one epoch.")
    return [
        Run(cell if epochs is None else Cell(cell.row.shortened(epochs), cell.model), seed)
        for cell in selected
        for seed in (range(plan[cell]) if seeds is None else seeds)
    ]


def _check(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"Unknown {kind} {name!r}; known: {', '.join(known)}.")
