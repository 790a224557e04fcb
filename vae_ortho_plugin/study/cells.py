# SPDX-License-Identifier: Apache-2.0
"""The runs of study `vae_pca_v1` and their model numbers; imports neither TensorFlow nor dlib.

A cell is one entry of the paper's table: a row (a data set, or a variant of it) and a model. Run
`seed` of cell number c has model number 100 c + seed, so that a number keeps its meaning when
cells are appended: add to the end of CELLS, never in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vae_ortho_plugin.errors import InputError

SEEDS_PER_CELL = 100


@dataclass(frozen=True)
class Row:
    """A row of the table: a data set, trained as the paper says or otherwise.

    Attributes:
        name: Name on the command line and of the folder of its runs.
        title: Name in reports.
        data_set: Stem of its file in gin_configs/datasets.
        bindings: gin bindings that replace some of that file's.
        has_factors: whether the data have generating factors.
    """

    name: str
    title: str
    data_set: str
    bindings: tuple[str, ...] = ()
    has_factors: bool = True


@dataclass(frozen=True)
class Cell:
    row: Row
    model: str


@dataclass(frozen=True)
class Run:
    cell: Cell
    seed: int

    @property
    def model_num(self) -> int:
        return CELLS.index(self.cell) * SEEDS_PER_CELL + self.seed

    def __str__(self) -> str:
        return f"{self.cell.row.name}/{self.cell.model}/{self.seed}"


SYNTH_LINEAR = Row("synth_linear", "Synth. Lin.", "synth_linear")
SYNTH_NONLINEAR = Row("synth_nonlinear", "Synth. Non-Lin.", "synth_nonlinear")
MNIST_SHORT = Row(
    "mnist_short",
    "MNIST (short: 5 of 400 epochs)",
    "mnist",
    ("training_steps = 4375",),
    has_factors=False,
)

MODEL_TITLES = {
    "beta_vae": "β-VAE",
    "vae": "VAE",
    "autoencoder": "AE",
    "beta_vae_sigma": "β-VAE_Σ",
    "random_decoder": "random decoder",
}

_SYNTHETIC_MODELS = ("beta_vae", "autoencoder", "beta_vae_sigma", "random_decoder")

CELLS = (
    *(Cell(SYNTH_LINEAR, model) for model in _SYNTHETIC_MODELS),
    *(Cell(SYNTH_NONLINEAR, model) for model in _SYNTHETIC_MODELS),
    *(Cell(MNIST_SHORT, model) for model in ("vae", "autoencoder")),
)

# Study name -> number of seeds of each of its rows.
STUDIES = {
    "quick": {SYNTH_LINEAR: 5, SYNTH_NONLINEAR: 5, MNIST_SHORT: 1},
}


def run_of(model_num: int) -> Run:
    """The run with this model number.

    Raises:
        InputError: no cell has this number.
    """
    highest = len(CELLS) * SEEDS_PER_CELL - 1
    if not 0 <= model_num <= highest:
        raise InputError(
            f"Study vae_pca_v1 has no model_num {model_num}; it has 0 to {highest}, that is "
            f"{SEEDS_PER_CELL} seeds for each of {len(CELLS)} cells. `vae_ortho_study --list` "
            "prints them."
        )
    return Run(CELLS[model_num // SEEDS_PER_CELL], model_num % SEEDS_PER_CELL)


def select(
    study: str,
    models: Iterable[str] | None = None,
    rows: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
) -> list[Run]:
    """The study's runs, in the order of its rows; None selects what the study has.

    Raises:
        InputError: a name that the study does not have, a seed out of range, or nothing selected.
    """
    _check("study", [study], STUDIES)
    num_seeds = STUDIES[study]
    cells = [cell for cell in CELLS if cell.row in num_seeds]
    if models is not None:
        _check("model", models, {cell.model: None for cell in cells})
        cells = [cell for cell in cells if cell.model in set(models)]
    if rows is not None:
        _check("data set", rows, {row.name: None for row in num_seeds})
        cells = [cell for cell in cells if cell.row.name in set(rows)]
    if not cells:
        raise InputError(
            f"Study {study!r} has none of these models on these data sets; "
            "`vae_ortho_study --list` prints what it has."
        )
    if seeds is not None:
        seeds = sorted(set(seeds))
        bad = [seed for seed in seeds if not 0 <= seed < SEEDS_PER_CELL]
        if bad:
            raise InputError(f"Seed {bad[0]} is not between 0 and {SEEDS_PER_CELL - 1}.")
    return [
        Run(cell, seed)
        for row in num_seeds
        for cell in cells
        if cell.row == row
        for seed in (range(num_seeds[row]) if seeds is None else seeds)
    ]


def _check(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"Unknown {kind} {name!r}; known: {', '.join(known)}.")
