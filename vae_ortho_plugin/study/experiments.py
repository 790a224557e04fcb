# SPDX-License-Identifier: Apache-2.0
"""The runs of study `vae_pca_v1` and their model numbers; imports neither TensorFlow nor dlib.

A cell is a row (a data set, or a variant of its training) and a model. Run `seed` of cell number c
has model number 100 c + seed, so that a number keeps its meaning when cells are appended: add to the
end of CELLS, never in between.
"""

import dataclasses
from dataclasses import dataclass

from vae_ortho_plugin.errors import InputError

SEEDS_PER_CELL = 100

# Epochs of the paper's training, by the stem of the data set's file in gin_configs/datasets.
FULL_EPOCHS = {
    "synth_linear": 600,
    "synth_nonlinear": 600,
    "mnist": 400,
    "fashion_mnist": 500,
    "dsprites": 50,
}
_BETAS = {"synth_linear": 1e-4, "synth_nonlinear": 1e-3, "dsprites": 4.0}
_WITHOUT_FACTORS = ("mnist", "fashion_mnist")


@dataclass(frozen=True)
class Row:
    """A data set, trained as the paper says or otherwise.

    Attributes:
        name: Name on the command line and of the folder of its runs.
        plain_title: Name in reports, without the remarks.
        data_set: Stem of its file in gin_configs/datasets.
        epochs: Length of training.
        batch_size: Of a step; None is the data set's.
        bindings: gin bindings that replace some of that file's.
        remarks: How its runs differ from what the study says, for a reader.
        changed_from: The study's row, where this one differs from it.
    """

    name: str
    plain_title: str
    data_set: str
    epochs: int
    bindings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    changed_from: "Row | None" = None
    batch_size: int | None = None

    @property
    def title(self) -> str:
        """Name in reports."""
        return self.plain_title + (f" ({', '.join(self.remarks)})" if self.remarks else "")

    @property
    def has_factors(self) -> bool:
        """Whether the data have generating factors."""
        return self.data_set not in _WITHOUT_FACTORS

    @property
    def at_full_length(self) -> bool:
        """Whether it trains as long as the paper."""
        return self.epochs >= FULL_EPOCHS[self.data_set]

    @property
    def study_row(self) -> "Row":
        """The row as the study has it."""
        return self.changed_from or self

    def shortened(self, epochs: int) -> "Row":
        """The row trained for so many epochs; itself where it is no longer than that."""
        if epochs >= self.epochs:
            return self
        return dataclasses.replace(
            self,
            name=f"{self.name}-{epochs}-epochs",
            epochs=epochs,
            remarks=(*self.remarks, f"{epochs} of {self.epochs} epochs"),
            changed_from=self.study_row,
        )

    def remarked(self, remark: str) -> "Row":
        """The row with a remark on its runs, such as the data that they were made from."""
        return dataclasses.replace(
            self,
            name=f"{self.name}-{remark.replace(' ', '-')}",
            remarks=(*self.remarks, remark),
            changed_from=self.study_row,
        )


@dataclass(frozen=True)
class Cell:
    row: Row
    model: str

    @property
    def study_cell(self) -> "Cell":
        """The cell as the study has it."""
        return Cell(self.row.study_row, self.model)


@dataclass(frozen=True)
class Run:
    cell: Cell
    seed: int

    @property
    def model_num(self) -> int:
        """Its number; a shortened run has that of the whole one."""
        return CELLS.index(self.cell.study_cell) * SEEDS_PER_CELL + self.seed

    def __str__(self) -> str:
        return f"{self.cell.row.name}/{self.cell.model}/{self.seed}"


def _variant(row: Row, suffix: str, title: str, *bindings: str, epochs: int | None = None) -> Row:
    return Row(
        f"{row.name}_{suffix}",
        f"{row.plain_title}, {title}",
        row.data_set,
        epochs or row.epochs,
        bindings,
    )


def with_10_latents(row: Row) -> Row:
    """The row with 10 latents (Table 1)."""
    return _variant(row, "latents_10", "10 latents", "encoder.num_latent = 10")


def with_beta(row: Row, value: float) -> Row:
    """The row of a β-VAE with this β (Suppl. C)."""
    text = f"{value:g}".replace("e-0", "e-")
    return _variant(row, f"beta_{text}", f"β = {text}", f"vae.beta = {value}")


def with_axis_ratio(ratio: float) -> Row:
    """Synth. Lin. with another stretch of its first axis (Suppl. C)."""
    return _variant(
        SYNTH_LINEAR,
        f"axis_ratio_{ratio}",
        f"axis ratio {ratio}",
        f"synth_linear.axis_ratio = {ratio}",
    )


def with_epochs(row: Row, number: int) -> Row:
    """The row of restarts with so many epochs (Figure 4)."""
    return _variant(row, f"epochs_{number}", f"{number} epochs", epochs=number)


def _row(data_set: str, title: str) -> Row:
    return Row(data_set, title, data_set, FULL_EPOCHS[data_set])


SYNTH_LINEAR = _row("synth_linear", "Synth. Lin.")
SYNTH_NONLINEAR = _row("synth_nonlinear", "Synth. Non-Lin.")
MNIST = _row("mnist", "MNIST")
FASHION_MNIST = _row("fashion_mnist", "Fashion-MNIST")
DSPRITES = _row("dsprites", "dSprites")
# The paper does not give its batch size; its Table 1 fits a small one better than dlib's 64.
SYNTH_LINEAR_BATCH_16 = dataclasses.replace(
    SYNTH_LINEAR,
    name="synth_linear_batch_16",
    plain_title="Synth. Lin., batch 16",
    batch_size=16,
)
MNIST_SHORT = Row("mnist_short", "MNIST (short: 5 of 400 epochs)", "mnist", epochs=5)

MODEL_TITLES = {
    "beta_vae": "β-VAE",
    "vae": "VAE",
    "autoencoder": "AE",
    "beta_vae_sigma": "β-VAE_Σ",
    "polarized_vae": "polarized KL",
    "random_decoder": "random decoder",
}

# Those whose latents are distributed, and whose training moves them.
MODELS_WITH_POSTERIOR = ("beta_vae", "vae", "beta_vae_sigma", "polarized_vae")

# β of the sweeps of Suppl. C. The data set's own β is its β-VAE's cell, 1 its VAE's.
SWEPT_BETAS = {
    DSPRITES: (0.1, 0.3, 1.0, 2.0, 4.0, 10.0),
    SYNTH_LINEAR: (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    SYNTH_NONLINEAR: (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
}
AXIS_RATIOS = (1.0, 1.2, 1.5, 2.0)
FIGURE_4_EPOCHS = (10, 30, 50)


def beta_cell(row: Row, value: float) -> Cell:
    """The cell that trains the row's β-VAE with this β."""
    if value == _BETAS[row.data_set]:
        return Cell(row, "beta_vae")
    return Cell(row, "vae") if value == 1 else Cell(with_beta(row, value), "beta_vae")


def axis_ratio_cell(ratio: float) -> Cell:
    """The cell of Synth. Lin.'s β-VAE with this ratio of the axes; the paper's is 2."""
    return Cell(SYNTH_LINEAR if ratio == 2 else with_axis_ratio(ratio), "beta_vae")


def figure_4_cell(number: int) -> Cell:
    """The cell of dSprites' β-VAE with so many epochs."""
    row = DSPRITES if number == DSPRITES.epochs else with_epochs(DSPRITES, number)
    return Cell(row, "beta_vae")


def table_1_cells(row: Row) -> tuple[Cell, Cell]:
    """The β-VAEs with the row's own latents and with 10; on MNIST, where β is 1, the VAEs."""
    model = "beta_vae" if row.data_set in _BETAS else "vae"
    return Cell(row, model), Cell(with_10_latents(row), model)


TABLE_ROWS = (DSPRITES, SYNTH_LINEAR, SYNTH_NONLINEAR, MNIST, FASHION_MNIST)
# Those of our own that stand beside them.
SHOWN_ROWS = (*TABLE_ROWS, SYNTH_LINEAR_BATCH_16, MNIST_SHORT)

_SYNTHETIC_MODELS = ("beta_vae", "autoencoder", "beta_vae_sigma", "random_decoder")
_IMAGE_MODELS = ("vae", "autoencoder", "beta_vae_sigma", "polarized_vae", "random_decoder")

CELLS = (
    *(Cell(SYNTH_LINEAR, model) for model in _SYNTHETIC_MODELS),
    *(Cell(SYNTH_NONLINEAR, model) for model in _SYNTHETIC_MODELS),
    *(Cell(MNIST_SHORT, model) for model in ("vae", "autoencoder")),
    *(Cell(SYNTH_LINEAR, model) for model in ("vae", "polarized_vae")),
    *(Cell(SYNTH_NONLINEAR, model) for model in ("vae", "polarized_vae")),
    *(Cell(MNIST, model) for model in _IMAGE_MODELS),
    *(Cell(FASHION_MNIST, model) for model in _IMAGE_MODELS),
    *(Cell(DSPRITES, model) for model in ("beta_vae", *_IMAGE_MODELS)),
    *(table_1_cells(row)[1] for row in TABLE_ROWS),
    *(Cell(with_epochs(DSPRITES, number), "beta_vae") for number in (10, 30)),
    *(Cell(with_beta(DSPRITES, value), "beta_vae") for value in (0.1, 0.3, 2.0, 10.0)),
    *(Cell(with_beta(SYNTH_LINEAR, value), "beta_vae") for value in (1e-6, 1e-5, 1e-3, 1e-2, 1e-1)),
    *(
        Cell(with_beta(SYNTH_NONLINEAR, value), "beta_vae")
        for value in (1e-6, 1e-5, 1e-4, 1e-2, 1e-1)
    ),
    *(Cell(with_axis_ratio(ratio), "beta_vae") for ratio in (1.0, 1.2, 1.5)),
    *(
        Cell(SYNTH_LINEAR_BATCH_16, model)
        for model in ("beta_vae", "autoencoder", "beta_vae_sigma")
    ),
)


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
