# SPDX-License-Identifier: Apache-2.0
"""How the report's pictures show the models."""

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

# Model -> colour and marker; the marker repeats what the colour says.
STYLES = {
    "beta_vae": (BLUE, "o"),
    "vae": (SKY, "s"),
    "autoencoder": (VERMILION, "^"),
    "beta_vae_sigma": (GREEN, "D"),
    "polarized_vae": (ORANGE, "P"),
    "linearized_vae": (PURPLE, "v"),
    "random_decoder": (GREY, "X"),
}


def model_title(model: str) -> str:
    """The model's title, with the subscript as matplotlib sets it."""
    return MODEL_TITLES[model].replace("_Σ", r"$_\Sigma$")


def run_title(item: FinishedRun) -> str:
    """Title of a panel that shows one run."""
    return f"{model_title(item.experiment.model)}, seed {item.run.seed}"
