# SPDX-License-Identifier: Apache-2.0
"""DtO of Jacobians as users of NumPy and SciPy write it."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def distances(jacobians):
    """Of Jacobians [points, outputs, latents], by a thin SVD and linear assignment."""
    result = []
    for vectors in np.linalg.svd(jacobians.astype(np.float64), full_matrices=False)[2]:
        rows, chosen = linear_sum_assignment(-np.abs(vectors))
        vectors[rows, chosen] -= np.sign(vectors[rows, chosen])
        result.append(np.linalg.norm(vectors))
    return result
