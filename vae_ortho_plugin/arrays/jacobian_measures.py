# SPDX-License-Identifier: Apache-2.0
"""DtO, IMA contrast, cosine and precision gap of given Jacobians, as the metrics name them."""

import dataclasses

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import dto, ima_contrast, precision_gap
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.jacobians import checked_jacobians, small_jacobians

_BLOCK_BYTES = 1 << 26


@dataclasses.dataclass(frozen=True, eq=False)
class Jacobians:
    """Jacobians of a decoder, reduced to what their measures need.

    Attributes:
        factors: [points, min(outputs, latents), latents], matrices with the lengths and angles of the
            Jacobians' columns.
        outputs: number of outputs of the decoder.
    """

    factors: np.ndarray
    outputs: int


def reduced(jacobians: object, latents: int | None) -> Jacobians:
    """Jacobians [points, outputs, latents], reduced block by block, so that a large file fits into memory.

    Args:
        latents: number of latents of the means; None where they are not given.

    Raises:
        InputError: they are no finite numbers of this shape.
    """
    array = checked_jacobians(jacobians, "jacobians")
    if latents not in (None, array.shape[2]):
        raise InputError(
            f"jacobians have the shape {array.shape}, which is of {array.shape[2]} latents, and means have "
            f"{latents}. The order is [points, outputs, latents]."
        )
    step = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    blocks = range(0, len(array), step)
    small = [small_jacobians(array[start : start + step], start) for start in blocks]
    return Jacobians(np.concatenate(small), array.shape[1])


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
    small = jacobians.factors
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
    return {
        name: value
        for name, value in result.items()
        if "columns" in name or not name.startswith("precision_gap")
    }


def _without_active(result: dict) -> dict:
    return {name: value for name, value in result.items() if "active" not in name}
