# SPDX-License-Identifier: Apache-2.0
"""Makes, for the tests of reports, output directories of studies whose runs nobody trained."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np

from vae_ortho_plugin.study.plan.experiments import MODELS_WITH_POSTERIOR, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder, RunFiles


def add_run(
    output: Path,
    run: Run,
    dto: float,
    score: float | None = None,
    share: float = 99.9,
    origin: str | None = None,
    bare: bool = False,
    active: int = 2,
    predicted: float = 0.98,
) -> None:
    """Adds a finished run as `vae_ortho_study` leaves it, with the parts that reports read.

    Args:
        dto: its DtO.
        score: its disentanglement score; none for data without factors.
        share: percent of its training in the polarized regime, where it has a posterior.
        origin: of the data, where they are not the original ones.
        bare: leaves out pictures and what is measured in training.
        active: active latents at the end, where it has a posterior.
        predicted: the score of the data's principal components, where it is measured.
    """
    files = ResultsFolder(output).run(run)
    data = {"name": run.experiment.data.data_set} | ({"origin": origin} if origin else {})
    if run.experiment.data.data_set == "synth_nonlinear":
        data |= {"weight_seed": 7, "weights": []}
    metrics = {"dto": {"dto": dto}}
    if score is not None:
        metrics["disentanglement_score"] = {"disentanglement_score": score}
    if run.experiment.model != "random_decoder" and not bare:
        metrics["ima_contrast"] = {"ima_contrast": dto / 10, "ima_contrast_of_loss": dto / 20}
    training = {"loss": 1.0, "reconstruction_loss": 0.5}
    if run.experiment.model in MODELS_WITH_POSTERIOR and not bare:
        training["polarized_regime"] = {
            "every": 500,
            "steps": [500, 1000, 1500],
            "delta_kl": [0.5, 0.01, 0.0],
            "num_active": [2, 2, active],
            "share_below_3_percent": share,
        }
        metrics["precision_gap"] = {
            "precision_gap_active": 0.25,
            "precision_gap_sigma_active": 0.1,
            "precision_gap_columns_active": 0.15,
        }
        metrics["loss_decomposition"] = {
            "deterministic_loss": 2.0,
            "stochastic_loss": 0.5,
            "linearized_loss": 0.4,
            "linearization_error": 0.1,
        }
    if run.experiment.data.data_set == "synth_linear" and not bare:
        metrics["pca_alignment"] = {"decoder_angle": 3.25, "encoder_angle": 4.0}
        metrics["pca_score"] = {"pca_score": predicted, "factor_angle": 0.5}
    if not bare:
        training["dto_while_training"] = {"every": 5000, "steps": [5000, 9000], "dto": [1.0, dto]}
        _draw(files, run)
    facts = {
        "model_num": run.model_num,
        "epochs": run.shortened_to,
        "seconds": 30.0,
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0"},
        "data": data,
        "curves": {"loss": [[500, 1000], [2.0, 1.0]]},
    }
    _write(files.facts, facts)
    _write(files.training_results, training)
    for name, values in metrics.items():
        _write(files.metric(name), values | {"elapsed_time": 1.0})


def _draw(files: RunFiles, run: Run) -> None:
    files.visualizations.mkdir(parents=True)
    if run.experiment.data.data_set in ("synth_linear", "synth_nonlinear"):
        grid = np.stack(np.meshgrid(np.linspace(0, 1, 51), np.linspace(0, 1, 51)), axis=-1)
        np.savez(files.latent_grid, latents=grid)
        return
    for path, shape in ((files.latents_by_sigma, (600, 960)), (files.reconstructions, (224, 448))):
        path.parent.mkdir(exist_ok=True)
        matplotlib.image.imsave(path, np.full((*shape, 3), 128, np.uint8))


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
