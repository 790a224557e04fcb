# SPDX-License-Identifier: Apache-2.0
"""`pca_alignment` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures import pca_alignment as measure
from vae_ortho_plugin.metrics import evaluated
from vae_ortho_plugin.trained_model import open_model


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

    PCA is that of the observations of the training split, of data without splits that of 10,000
    sampled ones. The decoder's direction for a latent is that column of its Jacobian, of the image,
    at the mean of the posterior means; for a linear decoder the column of its weights. The encoder's is
    the row of the linear map that best fits the posterior means to the observations' coordinates along
    the principal directions; for a linear encoder its weights in their span. Encoder and decoder are
    each matched to the principal directions for the least sum of angles.

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points for the model; if left out, all of the split, of other data
            10,000.
        num_directions: number of principal directions, matched to any latents; if left out, that of
            the active latents, matched to these (or of the directions in which the data vary, if fewer).

    Returns:
        decoder_angle and encoder_angle, 0 to 90, the means of decoder_angles and encoder_angles (lists,
        of the largest variance first; None if no latent is active); decoder_latents and
        encoder_latents, the matched latents; explained_variance, each direction's share of the data's
        variance (directions of equal variance are arbitrary, and so are the angles to them). And the
        settings.

    Raises:
        InputError: no decoder can be found, data that do not vary, more directions than the data or
            the latents have, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, num_directions=num_directions)
    model_dir = evaluated.model_dir_of("pca_alignment", model_dir)
    with open_model(model_dir) as model:
        training = evaluated.points(ground_truth_data, "train", None, random_state)
        pca = measure.principal_components((images for images, _ in training), model.num_latents)
        encoded = [
            (evaluated.finite(model.encode(images)), pca.scores(images))
            for images, _ in evaluated.points(ground_truth_data, split, num_points, random_state)
        ]
        means, scores = (np.concatenate(part) for part in zip(*encoded, strict=True))
        (jacobian,) = next(model.jacobians(means.mean(axis=0, keepdims=True)))
    if not np.isfinite(jacobian).all():
        raise InputError("The decoder's Jacobian at the mean latent is not finite.")

    active = evaluated.active_latents(means)
    varying = len(pca.directions)
    if num_directions is None:
        num, latents = min(len(active), varying), active
    elif num_directions <= varying:
        num, latents = num_directions, np.arange(model.num_latents)
    else:
        raise InputError(
            f"num_directions = {num_directions}, but the model has {model.num_latents} latents, and "
            f"the data vary along {varying} of as many principal directions."
        )
    directions = pca.directions[:num]
    rows = measure.encoder_directions(scores[:, :num], means[:, latents])
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


def _angles(name: str, principal: np.ndarray, candidates: np.ndarray, latents: np.ndarray) -> dict:
    angles, matched = measure.matched_angles(principal, candidates)
    return {
        f"{name}_angle": float(np.mean(angles)) if angles.size else None,
        f"{name}_angles": angles.tolist(),
        f"{name}_latents": latents[matched].tolist(),
    }
