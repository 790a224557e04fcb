# SPDX-License-Identifier: Apache-2.0
"""`self_consistency` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder import training_loss
from vae_ortho_plugin.decoder.metrics import evaluated


@gin.configurable("self_consistency", denylist=evaluated.GIVEN_BY_DLIB)
def self_consistency(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = evaluated.BATCH_SIZE,
    beta: float | None = None,
) -> dict:
    """How well the encoder inverts the decoder, and fits its noise to it (Reizinger et al. 2022).

    The image's Jacobian is weighed by the curvature of the training's loss. For a full covariance the
    variances are those of its diagonal.

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        batch_size: number of Jacobians in memory at a time.
        beta: β. The default is the one that the model was trained with.

    Returns:
        Means over the points, each with _std and _stderr: self_consistency, σ_k² (1 + (2/β) ‖J_k‖²) averaged
        over the latents, and over the active ones as self_consistency_active (None for a model without
        β or where no latent is active), 1 at the optimum; inversion_error, ‖μ(Dec(μ)) − μ‖²; loss_note,
        why the first two are None, where that is because the loss's curvature is unknown; num_points,
        active_latents, beta and the split.

    Raises:
        InputError: there is no decoder, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("self_consistency", model_dir)
    config = training_loss.config_of(model_dir)
    beta = training_loss.beta_of(config) if beta is None else beta
    curvature, note = training_loss.curvature_of(config, "image")
    with evaluated.open_model(model_dir) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        posteriors = [model.posterior(images) for images, _ in points]
        means, logvars = (
            evaluated.finite(np.concatenate(part)) for part in zip(*posteriors, strict=True)
        )
        inverted = evaluated.finite(model.encode(model.decode(means)))
        _, jacobians = training_loss.small_jacobians_of(model, means, batch_size, curvature)
    sigma = np.exp(logvars.astype(np.float64) / 2)
    active = measures.active_latents(means)
    known = beta is not None and note is None
    ratios = measures.self_consistency(jacobians, sigma, beta).ratios if known else None
    return {
        **_summary("self_consistency", ratios),
        **evaluated.counts(jacobians, active),
        **_summary("self_consistency_active", None if ratios is None else ratios[:, active]),
        **evaluated.summary(
            "inversion_error", ((inverted.astype(np.float64) - means) ** 2).sum(axis=1)
        ),
        "loss_note": note,
        "beta": beta,
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _summary(name: str, ratios: np.ndarray | None) -> dict[str, float | None]:
    some = ratios is not None and ratios.size
    return evaluated.summary(name, ratios.mean(axis=1) if some else None)
