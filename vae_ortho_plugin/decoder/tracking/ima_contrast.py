# SPDX-License-Identifier: Apache-2.0
"""The contrast of independent mechanism analysis (`measures.ima_contrast`) while a model trains."""

from collections.abc import Iterator

import gin
import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.tracking.jacobians import JacobianTracker
from vae_ortho_plugin.engine.tracker import Taken, register

_NAME = "ima_contrast_while_training"


@gin.configurable(_NAME)
def _settings(every: int = 0, num_points: int = 1000) -> tuple[int, int]:
    """Measures the contrast during training. The trained weights do not depend on it.

    Args:
        every: number of batches from one measurement to the next; 0: none.
        num_points: number of training points, the same ones each time.
    """
    return every, num_points


@register
class ImaContrastWhileTraining(JacobianTracker):
    """The mean contrast of all latents, in nats, before the first batch, after each `every` and at the end."""

    name, label = _NAME, "ima_contrast"
    settings = staticmethod(_settings)

    def value(self, batches: Iterator[np.ndarray]) -> float:
        return float(
            np.concatenate([measures.ima_contrast(batch).per_point for batch in batches]).mean()
        )

    def results(self, taken: Taken, last_step: int) -> dict:
        """As `JacobianTracker`; None where the contrast is infinite, which JSON does not have."""
        found = super().results(taken, last_step)
        values = [value if np.isfinite(value) else None for value in found[self.label]]
        return {**found, self.label: values}
