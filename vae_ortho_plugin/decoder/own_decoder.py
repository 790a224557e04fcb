# SPDX-License-Identifier: Apache-2.0
"""The measures of a decoder's Jacobians, for a decoder of any framework."""

import dataclasses
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder import frameworks
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.precision_gap import PrecisionGap
from vae_ortho_plugin.measures.self_consistency import SelfConsistency
from vae_ortho_plugin.measures.shared.arrays import latent_indices, number, positive_sigma
from vae_ortho_plugin.measures.shared.results import OverPoints, Result
from vae_ortho_plugin.measures.summaries import OF_JACOBIANS


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DecoderMeasures(Result):
    """What `decoder_measures` finds: each measure's own result, or None where it is not defined.

    A name with _active is the measure among the active latents, whose indices are `active`, increasing. `dto` is
    `distance_to_orthogonality`; `mean_abs_cosine` is None with fewer than two latents, `precision_gap` without
    sigma, and `self_consistency` without sigma and beta.
    """

    active: list[int]
    dto: OverPoints | None
    dto_active: OverPoints | None
    ima_contrast: OverPoints | None
    ima_contrast_active: OverPoints | None
    mean_abs_cosine: OverPoints | None
    mean_abs_cosine_active: OverPoints | None
    precision_gap: PrecisionGap | None
    precision_gap_active: PrecisionGap | None
    self_consistency: SelfConsistency | None
    self_consistency_active: SelfConsistency | None


def decoder_measures(
    decoder: Any,
    means: ArrayLike,
    *,
    sigma: ArrayLike | None = None,
    beta: float | None = None,
    active: ArrayLike | None = None,
) -> DecoderMeasures:
    """The measures of a decoder's Jacobians at posterior means.

    The Jacobian is that of what the decoder returns; let it return the image, after the output activation.
    It is taken in forward mode in batches on the decoder's device, and only R of J = Q R stays, [latents,
    latents] in float64, so that memory does not grow with the number of outputs times that of points.

    Args:
        decoder: takes latents [points, latents], returns [points, ...], each point by itself: a
            torch.nn.Module (which is in evaluation mode meanwhile), a Keras model, a function of JAX arrays or
            of tensors of the framework that `means` are of; or the directory of a model that dlib_train wrote.
        means: posterior means μ(x), [points, latents].
        sigma: standard deviations of the posterior, [points, latents], positive.
        beta: β, positive, of a loss with the squared error summed over outputs.
        active: indices of the active latents. The default are those of `active_latents(means)`.

    Raises:
        InputError: an argument is not as described, not finite, or on another device or of another type than
            the decoder; the decoder mixes the points of a batch, has fewer outputs than latents, or no
            derivative in forward mode.
    """
    latents = frameworks.points_of(means)
    if sigma is not None:
        sigma = positive_sigma(sigma, *latents.shape)
    if beta is not None:
        beta = number("beta", beta, positive=True)
    if active is None:
        chosen = measures.active_latents(latents)
    else:
        chosen = latent_indices(active, latents.shape[1])
    small = _jacobians(decoder, means, triangular=True)
    among = _measures(small[:, :, chosen], None if sigma is None else sigma[:, chosen], beta)
    of_active = {f"{name}_active": value for name, value in among.items()}
    whole = _measures(small, sigma, beta)
    return DecoderMeasures(active=chosen.tolist(), **whole, **of_active)


def _measures(small: np.ndarray, sigma: np.ndarray | None, beta: float | None) -> dict[str, Any]:
    """Each measure; None where it is not defined."""
    found = OF_JACOBIANS["self_consistency"](small, sigma, beta=beta)
    for name in ("dto", "ima_contrast", *["precision_gap"] * (sigma is not None)):
        found |= OF_JACOBIANS[name](small, sigma)
    names = "dto", "ima_contrast", "mean_abs_cosine", "precision_gap", "self_consistency"
    return {name: found.get(name) for name in names}


def decoder_jacobians(decoder: Any, means: ArrayLike) -> np.ndarray:
    """Jacobians of what a decoder returns at posterior means: [points, outputs, latents], all in memory.

    Arguments and errors are those of `decoder_measures`.
    """
    return _jacobians(decoder, means, triangular=False)


def _jacobians(decoder: Any, means: ArrayLike, triangular: bool) -> np.ndarray:
    """`frameworks.in_batches`, for the directory of a trained model, too."""
    if not isinstance(decoder, (str, os.PathLike)):
        return frameworks.in_batches(decoder, means, triangular)
    from vae_ortho_plugin.decoder.trained_model import open_model

    latents = frameworks.points_of(means)
    with open_model(os.fspath(decoder)) as model:
        if latents.shape[1] != model.num_latents:
            raise InputError(
                f"means have {latents.shape[1]} latents, and the model in {decoder} has {model.num_latents}."
            )
        if triangular:
            return model.jacobian_factors(latents)
        return np.concatenate(list(model.jacobians(latents)))
