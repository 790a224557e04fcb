# SPDX-License-Identifier: Apache-2.0
"""What a model was trained with, as far as measures of its decoder ask: β, and the loss's curvature."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vae_ortho_plugin import gin_files
from vae_ortho_plugin.gin_files import Reference
from vae_ortho_plugin.measures.jacobians import small_jacobians

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel


def config_of(model_dir: str) -> dict[str, object]:
    """What the model of a directory was trained with; empty where nothing says so."""
    if not gin_files.gin_file(model_dir, "train").is_file():
        return {}
    return gin_files.step_config(model_dir, "train")


def beta_of(config: dict[str, object]) -> float | None:
    """β of the trained model; None where its training names none."""
    model = config.get("model.model")
    beta = config.get(f"{model.name}.beta") if isinstance(model, Reference) else None
    return float(beta) if isinstance(beta, (int, float)) and beta > 0 else None


def curvature_of(
    config: dict[str, object], output: str
) -> tuple[Callable[[np.ndarray], np.ndarray] | None, str | None]:
    """The second derivative of the training's loss by the decoder's output, and a note where it is unknown.

    Args:
        config: as `config_of` gives it.
        output: "image" or "raw", of which the Jacobians are.

    Returns:
        The entry of `BY_IMAGE`, a function of the image or None for the squared error; and None, or why the
        entry is missing.
    """
    from vae_ortho_plugin.models.loss_curvature import BY_IMAGE  # starts TensorFlow

    loss = config.get("reconstruction_loss.loss_fn")
    name = loss.name if isinstance(loss, Reference) else loss
    if name not in BY_IMAGE:
        return None, (
            f"the curvature of the loss {name} (reconstruction_loss.loss_fn) is unknown; known are those of "
            f"{', '.join(BY_IMAGE)}"
        )
    if output != "image" and config.get("reconstruction_loss.activation") != "linear":
        return None, "the loss is one of the image; take output = 'image'"
    return BY_IMAGE[name], None


def small_jacobians_of(
    model: "TrainedModel",
    means: np.ndarray,
    batch_size: int,
    curvature: Callable[[np.ndarray], np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """`small_jacobians` at the means, and those of outputs that the loss's curvature weighs.

    Args:
        model: the trained model.
        means: [points, latents].
        batch_size: number of Jacobians in memory at a time.
        curvature: as `curvature_of` gives it.

    Returns:
        Two arrays [points, min(outputs, latents), latents], the same one for the squared error.

    Raises:
        InputError: a Jacobian is not finite.
    """
    plain, weighted = [], []
    for start in range(0, len(means), batch_size):
        batch = means[start : start + batch_size]
        (jacobians,) = model.jacobians(batch, batch_size)
        plain.append(small_jacobians(jacobians, start))
        if curvature is not None:
            weights = np.sqrt(curvature(model.decode(batch)) / 2).reshape(len(batch), -1, 1)
            weighted.append(small_jacobians(jacobians * weights, start))
    factors = np.concatenate(plain)
    return factors, np.concatenate(weighted) if weighted else factors
