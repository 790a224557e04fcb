# SPDX-License-Identifier: Apache-2.0
"""Data sets that can be sampled inside the graph, from one array in memory."""

from pathlib import Path

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.cache import cached, is_cached
from vae_ortho_plugin.data.sampling.numbered import numbered_images
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.engine import progress

# Share of the available memory that a copy of mapped images may take.
_LARGEST_SHARE = 0.8
_COPY = "copy of mapped images"


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
    """The images in memory, where TensorFlow uses them in place.

    Images that are mapped from a file are read from it once per process, into one copy.

    Returns:
        None where the memory is too small for the copy; the user is told.
    """
    if not isinstance(images, np.memmap):
        return images
    files = [Path(images.filename)]
    room = _room()
    if room is not None and images.nbytes > _LARGEST_SHARE * room and not is_cached(_COPY, files):
        progress.say(
            f"{images.filename} has {images.nbytes / 1e9:.1f} GB of images, "
            f"and {room / 1e9:.1f} GB of memory are available: they are read from the file as "
            "training needs them, which is slower."
        )
        return None

    def read() -> np.ndarray:
        # Not through the mapping, whose pages would count as this process's memory.
        copy = npz.aligned(images.shape, images.dtype)
        with open(images.filename, "rb") as file:
            file.seek(images.offset)
            npz.read_into(file, copy)
        copy.flags.writeable = False
        return copy

    return cached(_COPY, files, read)


def _room() -> int | None:
    """Available bytes of memory, None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        return None
