# SPDX-License-Identifier: Apache-2.0
"""The measures of a decoder's Jacobians as results state them: of metrics, of trackers and of arrays.

Jacobians here are those of `small_jacobians`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vae_ortho_plugin.measures.dto import distance_to_orthogonality, singular_value_ratios
from vae_ortho_plugin.measures.ima_contrast import ima_contrast, mean_abs_cosine
from vae_ortho_plugin.measures.precision_gap import precision_gap
from vae_ortho_plugin.measures.self_consistency import self_consistency
from vae_ortho_plugin.measures.shared.arrays import Floats
from vae_ortho_plugin.measures.shared.results import OverPoints

Summary = dict[str, object]
_Terms = dict[str, OverPoints | None]  # None where a measure is not defined

# Of neighbouring singular values: below this ratio, a change of J by 5 % can turn V by any angle.
_NEARLY_EQUAL = 1.05


def summary(name: str, values: OverPoints | Floats | None) -> Summary:
    """Mean, standard deviation (ddof = 0) and standard error over points as name, name_std, name_stderr.

    They are None without values [points], and where one is not finite, because JSON has no infinity.
    """
    found = OverPoints(values) if isinstance(values, np.ndarray) else values
    if found is None or not np.isfinite(found.per_point).all():
        return {name: None, f"{name}_std": None, f"{name}_stderr": None}
    return {name: found.mean, f"{name}_std": found.std, f"{name}_stderr": found.stderr}


def of_jacobians(
    measure: str,
    jacobians: Floats,
    active: NDArray[np.intp] | None = None,
    sigma: Floats | None = None,
    **settings: object,
) -> Summary:
    """What a result states of a measure in OF_JACOBIANS: among all latents, and the active ones as `..._active`.

    Without `active`, the indices of the active latents, or `sigma`, the posterior's standard deviations [points,
    latents], what needs them is left out. InputError where the measure is not defined for these arrays.
    """
    points, _, latents = jacobians.shape

    def stated(columns: Floats, noise: Floats | None, suffix: str) -> Summary:
        found: Summary = {}
        for name, values in OF_JACOBIANS[measure](columns, noise, **settings).items():
            found |= summary(name + suffix, values)
        return {**found, **_ratios(columns, suffix)} if measure == "dto" else found

    whole = stated(jacobians, sigma, "")
    among: Summary = {}
    counts: Summary = {"num_points": points}
    if active is not None:
        of_active = None if sigma is None else sigma[:, active]
        among = stated(jacobians[:, :, active], of_active, "_active")
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


def _ratios(jacobians: Floats, suffix: str) -> Summary:
    """Where DtO is arbitrary, because singular values coincide; None for fewer than two latents."""
    ratio = share = None
    if jacobians.shape[2] > 1:
        ratios = singular_value_ratios(jacobians)
        least = float(np.median(ratios, axis=0).min())
        ratio = least if np.isfinite(least) else None
        share = float(np.mean((ratios < _NEARLY_EQUAL).any(axis=1)))
    return {f"singular_value_ratio{suffix}": ratio, f"nearly_equal_share{suffix}": share}


def _dto(jacobians: Floats, sigma: Floats | None, solver: str = "assignment") -> _Terms:
    return {"dto": distance_to_orthogonality(jacobians, solver) if jacobians.size else None}


def _ima_contrast(jacobians: Floats, sigma: Floats | None) -> _Terms:
    cosine = mean_abs_cosine(jacobians) if jacobians.shape[2] > 1 else None
    return {
        "ima_contrast": ima_contrast(jacobians) if jacobians.size else None,
        "mean_abs_cosine": cosine,
    }


def _precision_gap(jacobians: Floats, sigma: Floats | None) -> _Terms:
    points, _, latents = jacobians.shape
    # The part of the columns does not depend on sigma.
    given = np.ones((points, latents)) if sigma is None else sigma
    gap = precision_gap(jacobians, given) if latents else None
    columns: _Terms = {"precision_gap_columns": gap and gap.columns_part}
    if sigma is None:
        return columns
    return {"precision_gap": gap, "precision_gap_sigma": gap and gap.sigma_part, **columns}


def _self_consistency(jacobians: Floats, sigma: Floats | None, beta: float | None = None) -> _Terms:
    if sigma is None or beta is None or not sigma.size:
        return {"self_consistency": None}
    return {"self_consistency": self_consistency(jacobians, sigma, beta)}


OF_JACOBIANS: dict[str, Callable[..., _Terms]] = {
    "dto": _dto,
    "ima_contrast": _ima_contrast,
    "precision_gap": _precision_gap,
    "self_consistency": _self_consistency,
}
