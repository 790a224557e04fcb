# SPDX-License-Identifier: Apache-2.0
"""`pca_alignment` as a metric of disentanglement_lib.

The principal directions are those of the training split, for data without splits those of 10,000
sampled observations. The decoder's direction for a latent is the latent's column of the image's
Jacobian at the mean of the posterior means (for a linear decoder, of its weights). The encoder's
direction is the latent's row of the least-squares linear map from the observations' coordinates along
the principal directions to the posterior means (for a linear encoder, of its weights in their span).
Encoder and decoder are each matched to the principal directions by the smallest sum of angles.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.errors import InputError

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel


@gin.configurable("pca_alignment", denylist=evaluated.GIVEN_BY_DLIB)
def pca_alignment(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_directions: int | None = None,
) -> dict:
    """Angles in degrees between the data's principal directions and the model's latents (Sec. 2.3).

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points to encode. The default is the whole split, for other data 10,000.
        num_directions: number of principal directions, which are matched to any latents. The default is
            the number of active latents, or of directions in which the data vary if that is smaller; the
            directions are then matched to active latents.

    Returns:
        decoder_angle and encoder_angle, 0 to 90, the means of decoder_angles and encoder_angles (lists
        in the order of decreasing variance), None if no latent is active; decoder_latents and
        encoder_latents, the matched latents; explained_variance, each direction's share of the data's
        variance (directions of equal variance are arbitrary, and so are the angles to them); num_points
        and the settings.

    Raises:
        InputError: there is no decoder, the data do not vary, there are more directions than data or
            latents have, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, num_directions=num_directions)
    model_dir = evaluated.model_dir_of("pca_alignment", model_dir)
    with evaluated.open_model(model_dir) as model:
        training = evaluated.points(ground_truth_data, "train", None, random_state)
        pca = measures.principal_components((images for images, _ in training), model.num_latents)
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        means, scores = _encoded(model, pca, (images for images, _ in points))
        (jacobian,) = next(model.jacobians(means.mean(axis=0, keepdims=True)))
    if not np.isfinite(jacobian).all():
        raise InputError("The decoder's Jacobian at the mean latent is not finite.")

    active = measures.active_latents(means)
    num, latents = _matched(num_directions, active, len(pca.directions), means.shape[1])
    directions = pca.directions[:num]
    rows = measures.encoder_directions(scores[:, :num], means[:, latents])
    return {
        **_angles("decoder", directions, jacobian.T[latents], latents),
        **_angles("encoder", np.eye(num), rows, latents),
        "explained_variance": (pca.variances[:num] / pca.total_variance).tolist(),
        "num_directions": num,
        "active_latents": active.tolist(),
        "num_active_latents": len(active),
        "num_points": len(means),
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _encoded(
    model: "TrainedModel", pca: measures.PrincipalComponents, batches: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means [points, latents] and coordinates [points, directions] of observations."""
    parts = [(evaluated.finite(model.encode(images)), pca.scores(images)) for images in batches]
    means, scores = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(scores)


def _matched(
    num_directions: int | None, active: np.ndarray, varying: int, num_latents: int
) -> tuple[int, np.ndarray]:
    """The number of principal directions and the latents that they are matched to."""
    if num_directions is None:
        return min(len(active), varying), active
    if num_directions > varying:
        raise InputError(
            f"num_directions = {num_directions}, but the model has {num_latents} latents, and the data "
            f"vary along {varying} of as many principal directions."
        )
    return num_directions, np.arange(num_latents)


def _angles(name: str, principal: np.ndarray, candidates: np.ndarray, latents: np.ndarray) -> dict:
    angles, matched = measures.matched_angles(principal, candidates)
    return {
        f"{name}_angle": float(np.mean(angles)) if angles.size else None,
        f"{name}_angles": angles.tolist(),
        f"{name}_latents": latents[matched].tolist(),
    }
