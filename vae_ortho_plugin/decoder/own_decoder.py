# SPDX-License-Identifier: Apache-2.0
"""The measures of a decoder's Jacobians, for a decoder of any framework."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder import frameworks
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.precision_gap import PrecisionGap
from vae_ortho_plugin.measures.self_consistency import SelfConsistency
from vae_ortho_plugin.measures.shared.arrays import latent_indices, number, positive_sigma
from vae_ortho_plugin.measures.shared.results import OverPoints, Result

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DecoderMeasures(Result):
    """What `decoder_measures` finds: each measure's own result, or None where it is not defined.

    A name with _active is the measure among the active latents.

    Attributes:
        active: indices of the active latents, increasing.
        dto, dto_active: `distance_to_orthogonality` (Eq. 29).
        ima_contrast, ima_contrast_active: `ima_contrast`.
        mean_abs_cosine, mean_abs_cosine_active: `mean_abs_cosine`; None with fewer than two latents.
        precision_gap, precision_gap_active: `precision_gap`; None without sigma.
        self_consistency, self_consistency_active: `self_consistency`; None without sigma and beta.
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
        beta: β of the training with the squared error summed over outputs, positive.
        active: indices of the active latents. The default are those of `active_latents(means)`.

    Raises:
        InputError: an argument is not as described, not finite, or on another device or of another type than
            the decoder; the decoder mixes the points of a batch, has fewer outputs than latents, or no
            derivative in forward mode.
    """
    latents = frameworks.points_of(means)
    points, count = latents.shape
    if sigma is not None:
        sigma = positive_sigma(sigma, points, count)
    if beta is not None:
        beta = number("beta", beta, positive=True)
    if active is None:
        chosen = measures.active_latents(latents)
    else:
        chosen = latent_indices(active, count)
    if isinstance(decoder, (str, os.PathLike)):
        with _open_model(decoder, latents) as model:
            factors = model.jacobian_factors(latents)
    else:
        factors = frameworks.factors_of(decoder, means)
    whole = _measures(factors, np.arange(count), sigma, beta)
    among = _measures(factors, chosen, sigma, beta)
    of_active = {f"{name}_active": value for name, value in among.items()}
    return DecoderMeasures(active=chosen.tolist(), **whole, **of_active)


def _measures(
    factors: np.ndarray, active: np.ndarray, sigma: np.ndarray | None, beta: float | None
) -> dict[str, Any]:
    """Each measure among some latents; None where it is not defined."""
    names = "dto", "ima_contrast", "mean_abs_cosine", "precision_gap", "self_consistency"
    found: dict[str, Any] = dict.fromkeys(names)
    if len(active):
        found["dto"] = measures.distance_to_orthogonality(factors, active=active)
        found["ima_contrast"] = measures.ima_contrast(factors, active=active)
        if len(active) > 1:
            found["mean_abs_cosine"] = measures.mean_abs_cosine(factors, active=active)
        if sigma is not None:
            found["precision_gap"] = measures.precision_gap(factors, sigma, active=active)
            if beta is not None:
                found["self_consistency"] = measures.self_consistency(
                    factors, sigma, beta, active=active
                )
    return found


def decoder_jacobians(decoder: Any, means: ArrayLike) -> np.ndarray:
    """Jacobians of what a decoder returns at posterior means: [points, outputs, latents].

    All of them are in memory at the end; `decoder_measures` needs less.

    Args:
        decoder: as for `decoder_measures`.
        means: [points, latents].

    Raises:
        InputError: as `decoder_measures`.
    """
    if isinstance(decoder, (str, os.PathLike)):
        latents = frameworks.points_of(means)
        with _open_model(decoder, latents) as model:
            return np.concatenate(list(model.jacobians(latents)))
    return frameworks.jacobians_of(decoder, means)


@contextlib.contextmanager
def _open_model(model_dir: str | os.PathLike, latents: np.ndarray) -> Iterator["TrainedModel"]:
    """`open_model` of a directory, for points [points, latents]."""
    from vae_ortho_plugin.decoder.trained_model import open_model

    with open_model(os.fspath(model_dir)) as model:
        if latents.shape[1] != model.num_latents:
            raise InputError(
                f"means have {latents.shape[1]} latents, and the model in {model_dir} has {model.num_latents}."
            )
        yield model
