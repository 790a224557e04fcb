# SPDX-License-Identifier: Apache-2.0
"""`ima_contrast` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder import training_loss
from vae_ortho_plugin.decoder.metrics import evaluated


@gin.configurable("ima_contrast", denylist=evaluated.GIVEN_BY_DLIB)
def ima_contrast(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = evaluated.BATCH_SIZE,
    output: str = "image",
    beta: float | None = None,
) -> dict:
    """How far the decoder's columns are from orthogonal: the contrast of independent mechanism analysis.

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        batch_size: number of Jacobians in memory at a time.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.
        beta: β of the regularized contrast. The default is the one that the model was trained with.

    Returns:
        Means over the points, each with _std and _stderr: ima_contrast (nats; None where columns are zero or
        dependent at a point) and mean_abs_cosine, both also among active_latents under
        ima_contrast_active, ... (None where there are too few); in the inner product of the training's
        loss, whose curvature weighs the outputs, ima_contrast_of_loss (equal to ima_contrast for the
        squared error) and ima_contrast_regularized (None for a model without β); loss_note, why these
        two are None, where that is because the loss's curvature is unknown; num_points, beta and the settings.

    Raises:
        InputError: there is no decoder, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("ima_contrast", model_dir)
    config = training_loss.config_of(model_dir)
    beta = training_loss.beta_of(config) if beta is None else beta
    curvature, note = training_loss.curvature_of(config, output)
    with evaluated.open_model(model_dir, output) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        means = np.concatenate([evaluated.finite(model.encode(images)) for images, _ in points])
        factors, of_loss = training_loss.small_jacobians_of(model, means, batch_size, curvature)
    contrast = regularized = None
    if note is None:
        contrast = measures.ima_contrast(of_loss)
        if beta is not None:
            regularized = measures.regularized_ima_contrast(of_loss, beta)
    return {
        **of_triangular_factors(factors, measures.active_latents(means)),
        **evaluated.summary("ima_contrast_of_loss", contrast),
        **evaluated.summary("ima_contrast_regularized", regularized),
        "loss_note": note,
        "beta": beta,
        "output": output,
        "split": evaluated.split_name(ground_truth_data, split),
    }


def of_triangular_factors(factors: np.ndarray, active: np.ndarray) -> dict:
    """The contrast and the cosine of given Jacobians, as in the metric's result.

    Args:
        factors: matrices with the lengths and angles of the Jacobians' columns, [points, rows, latents].
        active: indices of the active latents.
    """
    return {
        **_summary(factors, ""),
        **evaluated.counts(factors, active),
        **_summary(factors[:, :, active], "_active"),
    }


def _summary(factors: np.ndarray, suffix: str) -> dict[str, float | None]:
    latents = factors.shape[2]
    return {
        **evaluated.summary(
            f"ima_contrast{suffix}", measures.ima_contrast(factors) if latents else None
        ),
        **evaluated.summary(
            f"mean_abs_cosine{suffix}", measures.mean_abs_cosine(factors) if latents > 1 else None
        ),
    }
