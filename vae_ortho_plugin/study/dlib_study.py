# SPDX-License-Identifier: Apache-2.0
"""The paper's experiments as a study of disentanglement_lib, named `vae_pca_v1`.

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.
"""

from disentanglement_lib.config import study

from vae_ortho_plugin.gin_files import bindings, gin_config
from vae_ortho_plugin.study import experiments

# Their decoders' Jacobians have no directions to compare.
_MORE_LATENTS_THAN_OUTPUTS = [
    experiments.with_10_latents(row)
    for row in (experiments.SYNTH_LINEAR, experiments.SYNTH_NONLINEAR)
]


class VaePcaV1(study.Study):
    """Data sets x models x seeds; see `cells` for the numbering.

    disentanglement_lib asks for the metrics without saying for which model. A run asks for its model
    first, and the metrics are those that suit the model asked for last.
    """

    def __init__(self, epochs: int | None = None):
        """Args: epochs: rows that train longer are shortened to so many epochs."""
        self._epochs = epochs
        self._cell = experiments.CELLS[0]

    def get_model_config(self, model_num: int = 0) -> tuple[list[str], str]:
        """gin bindings and model gin file of run `model_num`.

        Raises:
            InputError: no run has this number.
        """
        run = experiments.run_of(model_num)
        self._cell = run.cell
        row = run.cell.row if self._epochs is None else run.cell.row.shortened(self._epochs)
        data_set_bindings = bindings(gin_config(f"datasets/{row.data_set}.gin"))
        model_bindings = [
            *data_set_bindings,
            *_steps(row, data_set_bindings),
            *row.bindings,
            *_tracking(run.cell),
            f"model.random_seed = {run.seed}",
        ]
        return model_bindings, str(gin_config(f"{run.cell.model}.gin"))

    def get_postprocess_config_files(self) -> list[str]:
        return [str(gin_config("postprocess/mean.gin"))]

    def get_eval_config_files(self) -> list[str]:
        """The metrics for the model asked for last."""
        return [str(gin_config(f"metrics/{metric}.gin")) for metric in metrics_of(self._cell)]


def metrics_of(cell: experiments.Cell) -> list[str]:
    """The metrics that the cell's data and model allow, and that say something of it."""
    metrics = ["disentanglement_score"] if cell.row.has_factors else []
    if cell.row in _MORE_LATENTS_THAN_OUTPUTS:
        return metrics
    metrics.append("dto")
    if cell.model in experiments.MODELS_WITH_POSTERIOR:
        metrics += ["loss_decomposition", "precision_gap"]
    if cell.row.data_set == "synth_linear" and cell.model != "random_decoder":
        metrics.append("pca_alignment")
    return metrics


def _tracking(cell: experiments.Cell) -> list[str]:
    """Bindings of what is measured while the cell's model trains."""
    tracked = []
    if cell.model in experiments.MODELS_WITH_POSTERIOR:
        tracked += ["polarized_regime.every = 500", "polarized_regime.num_points = 1000"]
    if cell.model != "random_decoder" and cell.row not in _MORE_LATENTS_THAN_OUTPUTS:
        tracked += ["dto_while_training.every = 5000", "dto_while_training.num_points = 1000"]
    return tracked


def _steps(row: experiments.Row, data_set_bindings: list[str]) -> list[str]:
    """Bindings of steps other than the data set's: their number, and how many points each takes."""
    full = experiments.FULL_EPOCHS[row.data_set]
    if row.epochs == full and row.batch_size is None:
        return []
    values = dict(binding.split(" = ") for binding in data_set_bindings)
    batch_size = int(values["model.batch_size"])
    points = int(values["training_steps"]) * batch_size * row.epochs // full
    size = row.batch_size or batch_size
    return [f"model.batch_size = {size}", f"training_steps = {points // size}"]


STUDY = VaePcaV1()
