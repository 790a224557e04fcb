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
from vae_ortho_plugin.measures.arrays import ByValue, check_shape, float_array, number


@dataclasses.dataclass(frozen=True, eq=False)
class DecoderMeasures(ByValue):
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
    dto: Any
    dto_active: Any
    ima_contrast: Any
    ima_contrast_active: Any
    mean_abs_cosine: Any
    mean_abs_cosine_active: Any
    precision_gap: Any
    precision_gap_active: Any
    self_consistency: Any
    self_consistency_active: Any


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
        sigma = float_array("sigma", sigma)
        check_shape("sigma", sigma, points=points, latents=count)
    if beta is not None:
        beta = number("beta", beta)
    chosen = _indices(active, count) if active is not None else measures.active_latents(latents)
    if isinstance(decoder, (str, os.PathLike)):
        factors = _of_directory(decoder, latents)
    else:
        factors = np.concatenate(
            list(frameworks.batches(decoder, means, lambda own, batch: own.factors(batch)))
        )
    found = {"active": chosen.tolist()}
    for suffix, some in (("", np.arange(count)), ("_active", chosen)):
        of_some = factors[:, :, some]
        noise = sigma[:, some] if sigma is not None and some.size else None
        found[f"dto{suffix}"] = measures.distance_to_orthogonality(of_some) if some.size else None
        found[f"ima_contrast{suffix}"] = measures.ima_contrast(of_some) if some.size else None
        found[f"mean_abs_cosine{suffix}"] = (
            measures.mean_abs_cosine(of_some) if some.size > 1 else None
        )
        found[f"precision_gap{suffix}"] = (
            measures.precision_gap(of_some, noise) if noise is not None else None
        )
        found[f"self_consistency{suffix}"] = (
            measures.self_consistency(of_some, noise, beta)
            if noise is not None and beta is not None
            else None
        )
    return DecoderMeasures(**found)


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
        from vae_ortho_plugin.decoder.trained_model import open_model

        latents = frameworks.points_of(means)
        with open_model(os.fspath(decoder)) as model:
            return np.concatenate(list(model.jacobians(latents)))
    return np.concatenate(
        list(frameworks.batches(decoder, means, lambda own, batch: own.jacobians(batch)))
    )


def _of_directory(model_dir: str | os.PathLike, latents: np.ndarray) -> np.ndarray:
    from vae_ortho_plugin.decoder.trained_model import open_model

    with open_model(os.fspath(model_dir)) as model:
        return model.jacobian_factors(latents)


def _indices(active: ArrayLike, latents: int) -> np.ndarray:
    indices = np.asarray(active)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" and indices.size:
        raise InputError(
            f"active must be a list of indices of latents, such as active_latents(means); got {active!r}."
        )
    if indices.size and not (0 <= indices.min() and indices.max() < latents):
        raise InputError(
            f"active must have indices from 0 to {latents - 1}; got {indices.tolist()}."
        )
    return np.unique(indices.astype(np.intp))
