# SPDX-License-Identifier: Apache-2.0
"""Images that a data set of dlib stores, by their numbers: which image belongs to drawn factors."""

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.stored_images import ScaledImages

_NUMBERED = (
    "dsprites.DSprites",
    "cars3d.Cars3D",
    "norb.SmallNORB",
    "shapes3d.Shapes3D",
    "mpi3d.MPI3D",
)


class NumberedImages:
    """A data set of dlib whose observations are its stored images and nothing else.

    Attributes:
        stored: the images as they are stored, [n, ...].
        scale: factor from stored values to observations.
    """

    def __init__(self, data: GroundTruthData, scale: float):
        self._data, self.scale = data, scale
        self.stored = data.images.stored if isinstance(data.images, ScaledImages) else data.images

    def __len__(self) -> int:
        return len(self.stored)

    def numbers(self, factors: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """Numbers int64 [n] of the images that `sample_observations_from_factors` would return.

        Args:
            factors: whole numbers [n, num_factors].
            random_state: it draws the factors that are not among these, as there.
        """
        everything = self._data.state_space.sample_all_factors(factors, random_state)
        index = getattr(self._data, "index", None)
        if index is not None:
            return index.features_to_index(everything)
        return np.array(np.dot(everything, self._data.factor_bases), dtype=np.int64)

    def observations(self, numbers: np.ndarray) -> np.ndarray:
        """The images [n, *observation_shape] as `sample_observations_from_factors` returns them."""
        images = self._data.images[numbers]
        # dlib's MPI3D holds bytes and divides what it returns.
        scaled = images / 255.0 if _is_mpi3d(self._data) else images.astype(np.float32)
        return scaled.reshape(-1, *self._data.observation_shape)


def numbered_images(data: GroundTruthData) -> NumberedImages | None:
    """The images by number; None for other data sets: variants of dSprites add noise or colour."""
    name = dlib_name(type(data))
    if name not in _NUMBERED:
        return None
    return NumberedImages(data, scale=1.0 if name == "dsprites.DSprites" else 1 / 255)


def _is_mpi3d(data: GroundTruthData) -> bool:
    return dlib_name(type(data)) == "mpi3d.MPI3D"


def dlib_name(kind: type) -> str:
    """Such as "dsprites.DSprites" for a class of dlib's data sets, which need not be imported; else ""."""
    package, _, module = kind.__module__.rpartition(".")
    return f"{module}.{kind.__name__}" if package == "disentanglement_lib.data.ground_truth" else ""
