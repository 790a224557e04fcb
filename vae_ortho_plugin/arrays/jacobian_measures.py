# SPDX-License-Identifier: Apache-2.0
"""DtO, IMA contrast, cosine and precision gap of given Jacobians, as the metrics name them."""

from collections.abc import Sequence

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.arrays.reading import Jacobians
from vae_ortho_plugin.decoder.metrics import dto, ima_contrast, precision_gap
from vae_ortho_plugin.errors import InputError


def compute(
    name: str, jacobians: Jacobians, latents: np.ndarray | None, sigma: np.ndarray | None
) -> dict:
    """The result of one metric of Jacobians.

    Args:
        name: one of `names.OF_JACOBIANS`.
        jacobians: of the decoder.
        latents: [any number of points, latents], in which active latents are found; None to leave
            the values among active latents out.
        sigma: the posterior's standard deviations, [points, latents]; None to leave out what needs it.

    Raises:
        InputError: the measure is not defined for these Jacobians.
    """
    small = jacobians.small
    every = np.arange(small.shape[2])
    active = every if latents is None else measures.active_latents(latents)
    if name == "dto":
        if jacobians.outputs < len(every):
            raise InputError(
                f"Jacobians of {jacobians.outputs} outputs with respect to {len(every)} latents do not "
                "determine V; DtO needs at least as many outputs as latents. Is the order "
                "[points, outputs, latents]?"
            )
        result = dto.of_triangular_factors(small, active)
    elif name == "ima_contrast":
        result = ima_contrast.of_triangular_factors(small, active)
    elif sigma is not None:
        result = precision_gap.of_triangular_factors(small, sigma, active)
    else:
        result = _of_columns(small, active)
    return result if latents is not None else _without_active(result)


def _of_columns(small: np.ndarray, active: np.ndarray) -> dict:
    """The part of the precision gap that does not depend on the noise."""
    ones = np.ones((len(small), small.shape[2]))
    result = precision_gap.of_triangular_factors(small, ones, active)
    of_noise = ("precision_gap", "precision_gap_sigma")
    dropped = _names(of_noise, ("", "_active"))
    return {name: value for name, value in result.items() if name not in dropped}


def _without_active(result: dict) -> dict:
    return {name: value for name, value in result.items() if "active" not in name}


def _names(stems: Sequence[str], suffixes: Sequence[str]) -> set[str]:
    return {
        f"{name}{suffix}{statistic}"
        for name in stems
        for suffix in suffixes
        for statistic in ("", "_std", "_stderr")
    }
