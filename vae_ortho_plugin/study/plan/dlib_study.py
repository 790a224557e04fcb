# SPDX-License-Identifier: Apache-2.0
"""The paper's experiments as a study of disentanglement_lib, named `vae_pca_v1`.

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.
"""

from pathlib import Path

from disentanglement_lib.config import study

from vae_ortho_plugin import __version__
from vae_ortho_plugin.files.gin_files import bindings, gin_config
from vae_ortho_plugin.study.plan import data_variants, experiments
from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import Experiment

# The Jacobians of their decoders have more columns than rows, so that no directions can be compared.
_MORE_LATENTS_THAN_OUTPUTS = [
    data_variants.with_10_latents(data)
    for data in (
        experiments.SYNTH_LINEAR,
        experiments.SYNTH_NONLINEAR,
        *experiments.BATCH_64_VARIANTS,
    )
]


class VaePcaV1(study.Study):
    """Data variants x models x seeds, numbered as in `experiments`.

    disentanglement_lib asks for the metrics without naming the model. A run asks for its model
    first, so the metrics are those for the model asked for last.
    """

    # Directory of a model that the runs train further.
    continue_from: Path | None = None

    def __init__(self, epochs: int | None = None):
        """Makes the study, in which runs that train longer are shortened to so many epochs."""
        self._epochs = epochs
        self._experiment = experiments.EXPERIMENTS[0]

    def get_model_config(self, model_num: int = 0) -> tuple[list[str], str]:
        """gin bindings and model gin file of run `model_num`; an InputError where no run has it."""
        model_bindings, model_file = self._model_config(model_num)
        if self.continue_from is not None:
            model_bindings.append(f"training_loop.continue_from = {str(self.continue_from)!r}")
        return model_bindings, model_file

    def _model_config(self, model_num: int) -> tuple[list[str], str]:
        run = experiments.run_of(model_num)
        self._experiment = run.experiment
        data = run.experiment.data.shortened(self._epochs)
        model_bindings = [
            *bindings(gin_config(f"datasets/{data.data_set}.gin")),
            *_length(data),
            *data.bindings,
            *_tracking(run.experiment),
            f"model.random_seed = {run.seed}",
        ]
        return model_bindings, str(gin_config(f"{run.experiment.model}.gin"))

    def get_postprocess_config_files(self) -> list[str]:
        """The only postprocessing: the posterior mean."""
        return [str(gin_config("postprocess/mean.gin"))]

    def get_eval_config_files(self) -> list[str]:
        """The metrics for the model asked for last."""
        return [str(gin_config(f"metrics/{metric}.gin")) for metric in metrics_of(self._experiment)]

    def configuration(self, model_num: int) -> dict:
        """What decides a run's results: the bindings of all its steps, and the version of this package."""
        model_bindings, model_file = self._model_config(model_num)
        files = [model_file, *self.get_postprocess_config_files(), *self.get_eval_config_files()]
        return {
            "version": __version__,
            "bindings": model_bindings,
            "gin_files": {Path(file).name: bindings(Path(file)) for file in files},
        }


def metrics_of(experiment: Experiment) -> list[str]:
    """The metrics that are defined and informative for the experiment's data and model."""
    metrics = ["disentanglement_score"] if experiment.data.has_factors else []
    if experiment.data in _MORE_LATENTS_THAN_OUTPUTS:
        return metrics
    metrics.append("dto")
    if experiment.model != "random_decoder":
        metrics.append("ima_contrast")
    if experiment.model in experiments.MODELS_WITH_POSTERIOR:
        metrics += ["loss_decomposition", "precision_gap"]
    if experiment.data.data_set == "synth_linear" and experiment.model != "random_decoder":
        metrics += ["pca_alignment", "pca_score"]
    return metrics


def _tracking(experiment: Experiment) -> list[str]:
    """Bindings of what is measured while the experiment's model trains."""
    trackers = []
    if experiment.model in experiments.MODELS_WITH_POSTERIOR:
        trackers += ["polarized_regime.every = 500", "polarized_regime.num_points = 1000"]
    if experiment.model != "random_decoder" and experiment.data not in _MORE_LATENTS_THAN_OUTPUTS:
        trackers += ["dto_while_training.every = 5000", "dto_while_training.num_points = 1000"]
    return trackers


def _length(data: DataVariant) -> list[str]:
    """Bindings of epochs, batch size and steps, where they differ from the data set's."""
    own = data_variants.data_set_bindings(data.data_set)
    if data.epochs == own["epochs"] and data.batch_size is None:
        return []
    samples = own["training_steps"] * own["model.batch_size"] * data.epochs // own["epochs"]
    batch_size = data.batch_size or own["model.batch_size"]
    return [
        f"epochs = {data.epochs}",
        f"model.batch_size = {batch_size}",
        f"training_steps = {samples // batch_size}",
    ]


STUDY = VaePcaV1()
