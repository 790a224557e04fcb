# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST as dlib data sets without generating factors."""

import gin
import numpy as np

from vae_ortho_plugin.data.files.location import data_root, remedy
from vae_ortho_plugin.data.files.mnist_files import SHAPES, load_shuffled
from vae_ortho_plugin.data.sampling.split_data import SPLITS, SplitGroundTruthData
from vae_ortho_plugin.errors import InputError, check_whole


class IdxImages(SplitGroundTruthData):
    """All 70,000 grey images [28, 28, 1] in [0, 1] of both files, shuffled together by a seed.

    dlib's sampling methods return factors [n, 0] and random training images.
    """

    folder: str

    def __init__(self, root: str | None = None, seed: int = 0):
        """Reads the four files in `folder` below `data_root(root)`, once per process.

        Raises:
            InputError: a file is missing, damaged or of other data; says how to get it.
        """
        check_whole("seed", seed)
        directory = data_root(root) / self.folder
        try:
            images, self._labels = load_shuffled(directory, self.folder, seed)
        except InputError as error:
            names = ", ".join(SHAPES)
            by_hand = f"or put {names}, each plain or with .gz, into {directory}"
            raise InputError(f"{error}\n{remedy(self.folder, directory, by_hand, root)}") from error
        super().__init__(images, scale=1 / 255)

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """Class numbers uint8 [n] of each split; they are not generating factors."""
        return {name: self._labels[self._points(name)] for name in SPLITS}


@gin.configurable("mnist")
class MNIST(IdxImages):
    """MNIST (LeCun, Cortes), from mnist/ below the data root."""

    folder = "mnist"


@gin.configurable("fashion_mnist")
class FashionMNIST(IdxImages):
    """Fashion-MNIST (Xiao, Rasul, Vollgraf), from fashion_mnist/ below the data root."""

    folder = "fashion_mnist"
