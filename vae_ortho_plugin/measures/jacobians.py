# SPDX-License-Identifier: Apache-2.0
"""What a decoder's Jacobians must look like, for everything that takes them."""

import numpy as np

from vae_ortho_plugin.errors import InputError


def with_checked_shape(jacobians: np.ndarray) -> np.ndarray:
    """The array [points, outputs, latents] itself.

    Raises:
        InputError: another number of dimensions, or one of them 0.
    """
    jacobians = np.asarray(jacobians)
    if jacobians.ndim != 3 or not jacobians.size:
        raise InputError(
            "Jacobians must have the shape [points, outputs, latents], none of them 0; got "
            f"{jacobians.shape}."
        )
    return jacobians
