# SPDX-License-Identifier: Apache-2.0
"""`pca_alignment` as a metric of disentanglement_lib.

The principal directions are those of the training split, or of 10,000 samples of data without splits. The decoder's
direction for a latent is the latent's column of the image's Jacobian at the mean of the posterior means (for a linear
decoder, of its weights). The encoder's direction is the latent's row of `encoder_directions` (for a linear encoder, of
its weights in the span of the principal directions). Each is matched to these by the smallest sum of angles.
"""

import dataclasses

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.evaluated import Evaluation
from vae_ortho_plugin.errors import InputError


@evaluated.metric("pca_alignment", "model_dir", "split", "num_points")
def pca_alignment(of: Evaluation, num_directions: int | None = None) -> dict:
    """Angles in degrees between the data's principal directions and the model's latents (Sec. 2.3).

    Args:
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
    with of.open_model() as model:
        training = dataclasses.replace(of, split="train", num_points=None).points()
        pca = measures.principal_components((images for images, _ in training), model.num_latents)
        parts = [(model.encode(images), pca.scores(images)) for images, _ in of.points()]
        means, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        center = evaluated.finite(means).mean(axis=0, keepdims=True)
        (jacobian,) = next(model.jacobians(center))
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
        "split": of.split_name,
    }


def _matched(
    num_directions: int | None, active: np.ndarray, varying: int, num_latents: int
) -> tuple[int, np.ndarray]:
    """The number of principal directions and the latents that they are matched to."""
    if num_directions is None:
        return min(len(active), varying), active
    if num_directions > varying:
        raise InputError(
            f"num_directions = {num_directions}, but the data vary along {varying} of the principal directions "
            f"that are taken, one for each of the model's {num_latents} latents."
        )
    return num_directions, np.arange(num_latents)


def _angles(name: str, principal: np.ndarray, candidates: np.ndarray, latents: np.ndarray) -> dict:
    found = measures.matched_angles(principal, candidates)
    return {
        f"{name}_angle": found.mean if found.angles.size else None,
        f"{name}_angles": found.angles.tolist(),
        f"{name}_latents": latents[found.matched].tolist(),
    }
