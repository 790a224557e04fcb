# SPDX-License-Identifier: Apache-2.0
"""What a model was trained with, as far as measures of its decoder ask: β, and the loss's curvature."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.files.gin_files import Reference
from vae_ortho_plugin.measures.shared.jacobians import small_jacobians

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel


@dataclasses.dataclass(frozen=True)
class TrainingLoss:
    """The loss of a training run.

    Attributes:
        beta: β; None where the training run names none.
        curvature: second derivative of the reconstruction loss by the decoder's output, an entry of
            `BY_IMAGE`; None for the squared error, or where it is unknown.
        note: why the curvature is unknown, or None.
    """

    beta: float | None
    curvature: Callable[[np.ndarray], np.ndarray] | None
    note: str | None

    @classmethod
    def of(cls, model_dir: str, output: str, beta: float | None) -> "TrainingLoss":
        """That of a trained model.

        Args:
            model_dir: its directory.
            output: "image" or "raw", of which the Jacobians are.
            beta: what stands for the model's own β; None for that.
        """
        from vae_ortho_plugin.models.loss_curvature import BY_IMAGE  # starts TensorFlow

        has_config = gin_files.gin_file(model_dir, "train").is_file()
        config = gin_files.step_config(model_dir, "train") if has_config else {}
        model = config.get("model.model")
        if beta is None and isinstance(model, Reference):
            own = config.get(f"{model.name}.beta")
            beta = float(own) if isinstance(own, (int, float)) and own > 0 else None
        loss = config.get("reconstruction_loss.loss_fn")
        name = loss.name if isinstance(loss, Reference) else loss
        note = None
        if name not in BY_IMAGE:
            note = (
                f"the curvature of the loss {name} (reconstruction_loss.loss_fn) is unknown; known are "
                f"those of {', '.join(BY_IMAGE)}"
            )
        elif output != "image" and config.get("reconstruction_loss.activation") != "linear":
            note = "the loss is one of the image; take output = 'image'"
        return cls(beta, None if note else BY_IMAGE[name], note)

    def small_jacobians(
        self, model: "TrainedModel", means: np.ndarray, batch_size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """`small_jacobians` at the means, and those of outputs that the loss's curvature weighs.

        Args:
            model: the trained model.
            means: [points, latents].
            batch_size: number of Jacobians in memory at a time.

        Returns:
            Two arrays [points, min(outputs, latents), latents], the same one for the squared error.

        Raises:
            InputError: a Jacobian is not finite.
        """
        if self.curvature is None:
            factors = model.jacobian_factors(means, batch_size)
            return factors, factors
        plain, weighted = [], []
        for start in range(0, len(means), batch_size):
            batch = means[start : start + batch_size]
            (jacobians,) = model.jacobians(batch, batch_size)
            weights = np.sqrt(self.curvature(model.decode(batch)) / 2).reshape(len(batch), -1, 1)
            plain.append(small_jacobians(jacobians, first_point=start))
            weighted.append(small_jacobians(jacobians * weights, first_point=start))
        return np.concatenate(plain), np.concatenate(weighted)
