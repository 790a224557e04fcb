# SPDX-License-Identifier: Apache-2.0
"""The measures of a decoder's Jacobians as results state them: of metrics, of trackers and of arrays.

Jacobians here are those of `small_jacobians`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vae_ortho_plugin.measures.dto import (
    distance_to_orthogonality,
    share_nearly_equal,
    singular_value_ratios,
)
from vae_ortho_plugin.measures.ima_contrast import ima_contrast, mean_abs_cosine
from vae_ortho_plugin.measures.precision_gap import precision_gap
from vae_ortho_plugin.measures.self_consistency import self_consistency
from vae_ortho_plugin.measures.shared.results import OverPoints

Summary = dict[str, object]
_Array = NDArray[np.float64]


def summary(name: str, values: OverPoints | _Array | None) -> Summary:
    """Mean, standard deviation (ddof = 0) and standard error over points as name, name_std, name_stderr.

    Args:
        name: of the mean in the result.
        values: [points], or the result of a measure; None for a measure that does not exist.

    Returns:
        The three values. They are None where `values` is None or has a value that is not finite, because
        JSON has no infinity.
    """
    found = OverPoints(values) if isinstance(values, np.ndarray) else values
    if found is None or not np.isfinite(found.per_point).all():
        return {name: None, f"{name}_std": None, f"{name}_stderr": None}
    return {name: found.mean, f"{name}_std": found.std, f"{name}_stderr": found.stderr}


def of_jacobians(
    measure: str,
    jacobians: _Array,
    active: NDArray[np.intp] | None = None,
    sigma: _Array | None = None,
    **settings: object,
) -> Summary:
    """What a result states of one measure: among all latents, and among the active ones as `..._active`.

    Args:
        measure: a name in OF_JACOBIANS.
        jacobians: [points, rows, latents].
        active: indices of the active latents; None where they are unknown.
        sigma: [points, latents], standard deviations of the posterior; None leaves out what needs them.
        **settings: of the measure.

    Raises:
        InputError: the measure is not defined for these arrays.
    """
    terms = OF_JACOBIANS[measure]
    whole = terms(jacobians, sigma, "", **settings)
    points, _, latents = jacobians.shape
    among: Summary = {}
    counts: Summary = {"num_points": points}
    if active is not None:
        of_active = None if sigma is None else sigma[:, active]
        among = terms(jacobians[:, :, active], of_active, "_active", **settings)
        counts |= {"active_latents": active.tolist(), "num_active_latents": len(active)}
    if measure != "dto":
        return {**whole, **counts, **among}
    passive = 0 if active is None else latents - len(active)
    if not passive:
        return {**whole, **counts, **among, "dto_note": None}
    note = (
        f"{passive} of {latents} latents are passive. dto counts a passive latent whose column is exactly zero as "
        "aligned, and one of any other tiny length adds an arbitrary amount: read dto_active"
    )
    return {**among, **counts, **whole, "dto_note": note}


def _dto(
    jacobians: _Array, sigma: _Array | None, suffix: str, solver: str = "assignment"
) -> Summary:
    latents = jacobians.shape[2]
    ratio = share = None
    if latents > 1:
        ratios = singular_value_ratios(jacobians)
        least = float(np.median(ratios, axis=0).min())
        ratio, share = least if np.isfinite(least) else None, share_nearly_equal(ratios)
    return {
        **summary(
            f"dto{suffix}", distance_to_orthogonality(jacobians, solver) if latents else None
        ),
        f"singular_value_ratio{suffix}": ratio,
        f"nearly_equal_share{suffix}": share,
    }


def _ima_contrast(jacobians: _Array, sigma: _Array | None, suffix: str) -> Summary:
    latents = jacobians.shape[2]
    contrast = ima_contrast(jacobians) if latents else None
    cosine = mean_abs_cosine(jacobians) if latents > 1 else None
    return {
        **summary(f"ima_contrast{suffix}", contrast),
        **summary(f"mean_abs_cosine{suffix}", cosine),
    }


def _precision_gap(jacobians: _Array, sigma: _Array | None, suffix: str) -> Summary:
    points, _, latents = jacobians.shape
    # The part of the columns does not depend on sigma.
    given = np.ones((points, latents)) if sigma is None else sigma
    gap = precision_gap(jacobians, given) if latents else None
    columns = summary(f"precision_gap_columns{suffix}", gap and gap.columns_part)
    if sigma is None:
        return columns
    return {
        **summary(f"precision_gap{suffix}", gap),
        **summary(f"precision_gap_sigma{suffix}", gap and gap.sigma_part),
        **columns,
    }


def _self_consistency(
    jacobians: _Array, sigma: _Array | None, suffix: str, beta: float | None = None
) -> Summary:
    found = None
    if sigma is not None and beta is not None and sigma.size:
        found = self_consistency(jacobians, sigma, beta)
    return summary(f"self_consistency{suffix}", found)


OF_JACOBIANS: dict[str, Callable[..., Summary]] = {
    "dto": _dto,
    "ima_contrast": _ima_contrast,
    "precision_gap": _precision_gap,
    "self_consistency": _self_consistency,
}
