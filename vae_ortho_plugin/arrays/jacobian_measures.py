# SPDX-License-Identifier: Apache-2.0
"""DtO, IMA contrast, cosine and precision gap of given Jacobians, as the metrics name them."""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.arrays.reading import Jacobians
from vae_ortho_plugin.measures.summaries import of_jacobians


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
    active = None if latents is None else measures.active_latents(latents)
    return of_jacobians(name, jacobians.small, active, sigma)
