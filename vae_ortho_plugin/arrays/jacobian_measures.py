# SPDX-License-Identifier: Apache-2.0
"""DtO, IMA contrast, cosine and precision gap of given Jacobians, as the metrics name them."""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import checked_jacobians, small_jacobians
from vae_ortho_plugin.measures.summaries import of_jacobians

_BLOCK_BYTES = 1 << 26


def reduced(jacobians: object, latents: int | None) -> np.ndarray:
    """`small_jacobians`, reduced block by block, so that a large file fits into memory.

    Args:
        jacobians: [points, outputs, latents].
        latents: number of latents of the means; None where they are not given.

    Raises:
        InputError: they are no finite numbers of this shape.
    """
    array = checked_jacobians(jacobians, name="jacobians")
    if latents not in (None, array.shape[2]):
        raise InputError(
            f"jacobians have the shape {array.shape}, which is of {array.shape[2]} latents, and means have "
            f"{latents}. The order is [points, outputs, latents]."
        )
    step = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    blocks = range(0, len(array), step)
    return np.concatenate(
        [small_jacobians(array[start : start + step], first_point=start) for start in blocks]
    )


def compute(
    name: str, jacobians: np.ndarray, latents: np.ndarray | None, sigma: np.ndarray | None
) -> dict:
    """The result of one metric of Jacobians.

    Args:
        name: one of `names.OF_JACOBIANS`.
        jacobians: as `reduced` gives them.
        latents: [any number of points, latents], in which active latents are found; None to leave
            the values among active latents out.
        sigma: the posterior's standard deviations, [points, latents]; None to leave out what needs it.

    Raises:
        InputError: the measure is not defined for these Jacobians.
    """
    active = None if latents is None else measures.active_latents(latents)
    return of_jacobians(name, jacobians, active, sigma)
