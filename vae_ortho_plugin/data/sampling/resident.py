# SPDX-License-Identifier: Apache-2.0
"""Data sets that can be sampled from one array: inside the graph, or dlib's by the numbers of their images."""

import math
from pathlib import Path

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.read_files import cached
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.data.stored_images import ScaledImages
from vae_ortho_plugin.engine import progress

# Factor from stored values to observations.
_SCALES = {"dsprites.DSprites": 1.0} | dict.fromkeys(
    ("cars3d.Cars3D", "norb.SmallNORB", "shapes3d.Shapes3D", "mpi3d.MPI3D"), 1 / 255
)
# Share of the available memory that a copy of mapped images may take.
_LARGEST_SHARE = 0.8


def resident_observations(ground_truth_data: GroundTruthData) -> tuple[np.ndarray, float] | None:
    """The array [n, *observation_shape] and the scale to sample from, or None.

    A result means that `sample_observations(1)` of the data has the distribution of `scale` times a
    uniformly drawn row. That holds for dlib's data sets of stored images, whichever of the factors
    are latent, because dlib draws every factor uniformly and independently. The coloured and noisy
    variants of dSprites add noise to every sample.
    """
    if isinstance(ground_truth_data, SplitGroundTruthData):
        return ground_truth_data.resident_observations()
    images = numbered_images(ground_truth_data)
    stored = None if images is None else in_memory(images.stored)
    if stored is None:
        return None
    return stored.reshape(-1, *ground_truth_data.observation_shape), images.scale


def in_memory(images: np.ndarray) -> np.ndarray | None:
    """The images in memory, where TensorFlow uses them in place; mapped ones are copied once per process.

    None where the memory is too small for the copy; the user is told.
    """
    if not isinstance(images, np.memmap):
        return images

    def read() -> np.ndarray:
        if images.nbytes > _LARGEST_SHARE * _room():
            raise MemoryError
        # Not through the mapping, whose pages would count as this process's memory.
        copy = npz.aligned(images.shape, images.dtype)
        with open(images.filename, "rb") as file:
            file.seek(images.offset)
            npz.read_into(file, copy)
        copy.flags.writeable = False
        return copy

    try:
        return cached("copy of mapped images", [Path(images.filename)], read)
    except MemoryError:
        progress.say(
            f"{images.filename} has {images.nbytes / 1e9:.1f} GB of images, "
            f"and {_room() / 1e9:.1f} GB of memory are available: they are read from the file as "
            "training needs them, which is slower."
        )
        return None


def _room() -> float:
    """Available bytes of memory, infinity where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        return math.inf


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

        The random state draws the factors that are not among the whole numbers [n, num_factors], as there.
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
        is_mpi3d = dlib_name(type(self._data)) == "mpi3d.MPI3D"
        scaled = images / 255.0 if is_mpi3d else images.astype(np.float32)
        return scaled.reshape(-1, *self._data.observation_shape)


def numbered_images(data: GroundTruthData) -> NumberedImages | None:
    """The images by number; None for other data sets: variants of dSprites add noise or colour."""
    scale = _SCALES.get(dlib_name(type(data)))
    return None if scale is None else NumberedImages(data, scale)


def dlib_name(kind: type) -> str:
    """Such as "dsprites.DSprites" for a class of dlib's data sets, which need not be imported; else ""."""
    package, _, module = kind.__module__.rpartition(".")
    return f"{module}.{kind.__name__}" if package == "disentanglement_lib.data.ground_truth" else ""
