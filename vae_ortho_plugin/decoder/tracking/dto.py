# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality (Eq. 29 of Rolinek, Zietlow, Martius, CVPR 2019) while a model trains.

It is taken between two session calls, because NumPy computes its singular value decompositions and
assignments.
"""

from collections.abc import Iterator

import gin
import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.tracking.jacobians import JacobianTracker
from vae_ortho_plugin.engine.tracker import register
from vae_ortho_plugin.measures.jacobians import small_jacobians

_NAME = "dto_while_training"


@gin.configurable(_NAME)
def _settings(every: int = 0, num_points: int = 1000) -> tuple[int, int]:
    """Measures DtO during training. The trained weights do not depend on it.

    Args:
        every: number of batches from one measurement to the next; 0: none.
        num_points: number of training points, the same ones each time.
    """
    return every, num_points


@register
class DtoWhileTraining(JacobianTracker):
    """DtO before the first batch, after each `every` batches and at the end."""

    name, label = _NAME, "dto"
    settings = staticmethod(_settings)

    def value(self, batches: Iterator[np.ndarray]) -> float:
        factors, first_point = [], 0
        for jacobians in batches:
            factors.append(small_jacobians(jacobians, first_point=first_point))
            first_point += len(jacobians)
        return measures.distance_to_orthogonality(np.concatenate(factors)).mean
