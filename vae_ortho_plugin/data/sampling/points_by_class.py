# SPDX-License-Identifier: Apache-2.0
"""Points by the classes of their factors."""

import numpy as np


class PointsByClass:
    """Finds points by rows of class numbers, however many combinations of classes there could be."""

    def __init__(self, classes: np.ndarray):
        """Takes class numbers [points, factors]."""
        keys = _keys(classes)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def has(self, wanted: np.ndarray) -> np.ndarray:
        """Whether there is a point with each of the wanted rows [n, factors]: boolean [n]."""
        first, last = self._range(wanted)
        return first < last

    def draw(self, wanted: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """For each wanted row [n, factors], which is there, a random one of the points that have it."""
        first, last = self._range(wanted)
        share = random_state.random_sample(len(wanted))
        return self._order[first + (share * (last - first)).astype(int)]

    def _range(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = _keys(np.asarray(wanted))
        return np.searchsorted(self._keys, keys, "left"), np.searchsorted(self._keys, keys, "right")


def _keys(classes: np.ndarray) -> np.ndarray:
    """The bytes of each row; one number for each combination would overflow with many factors."""
    rows = np.ascontiguousarray(classes, np.int64)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0]
