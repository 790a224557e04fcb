# SPDX-License-Identifier: Apache-2.0
"""`ima_contrast` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import gin_files, measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.trained_model import BATCH_SIZE, open_model
from vae_ortho_plugin.gin_files import Reference
from vae_ortho_plugin.measures.jacobians import small_jacobians


@gin.configurable("ima_contrast", denylist=evaluated.GIVEN_BY_DLIB)
def ima_contrast(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = BATCH_SIZE,
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
        dependent at a point), mean_abs_cosine, and ima_contrast_regularized (nats; None for a model
        without β); the first two among active_latents under ima_contrast_active, ... (None where there
        are too few); num_points, beta and the settings.

    Raises:
        InputError: there is no decoder, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("ima_contrast", model_dir)
    beta = _beta_of(model_dir) if beta is None else beta
    with open_model(model_dir, output) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        means = np.concatenate([evaluated.finite(model.encode(images)) for images, _ in points])
        jacobians = enumerate(model.jacobians(means, batch_size))
        factors = np.concatenate([small_jacobians(batch, i * batch_size) for i, batch in jacobians])
    regularized = None if beta is None else measures.regularized_ima_contrast(factors, beta)
    return {
        **of_factors(factors, measures.active_latents(means)),
        **evaluated.summary("ima_contrast_regularized", regularized),
        "beta": beta,
        "output": output,
        "split": evaluated.split_name(ground_truth_data, split),
    }


def of_factors(factors: np.ndarray, active: np.ndarray) -> dict:
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


def _beta_of(model_dir: str) -> float | None:
    """β that the model of a directory was trained with; None where its training names none."""
    if not gin_files.gin_file(model_dir, "train").is_file():
        return None
    config = gin_files.step_config(model_dir, "train")
    model = config.get("model.model")
    beta = config.get(f"{model.name}.beta") if isinstance(model, Reference) else None
    return float(beta) if isinstance(beta, (int, float)) and beta > 0 else None


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
