# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST as dlib data sets without generating factors."""

import functools
from pathlib import Path

import gin
import numpy as np

from vae_ortho_plugin.data.idx import read_idx
from vae_ortho_plugin.data.location import VARIABLE, data_root, describe_root
from vae_ortho_plugin.data.split_data import SPLITS, SplitGroundTruthData, check_whole
from vae_ortho_plugin.errors import InputError

SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-labels-idx1-ubyte": (10_000,),
}
# The sum tells the two data sets apart, which have equal shapes, in whatever order their images are.
_PIXEL_SUMS = {"mnist": 1_567_298_545, "fashion_mnist": 3_431_114_169}


class IdxImages(SplitGroundTruthData):
    """All 70,000 grey images [28, 28, 1] in [0, 1] of both files, shuffled together by a seed.

    The images stay in memory as bytes, once per process however often the data set is made. dlib's
    sampling methods return factors [n, 0] and random training images.
    """

    folder: str

    def __init__(self, root: str | None = None, seed: int = 0):
        """Reads the four files in `folder` below `data_root(root)`.

        Raises:
          InputError: a file is missing, damaged or another one; the message says how to get it.
        """
        check_whole("seed", seed)
        directory = data_root(root) / self.folder
        try:
            images, self._labels = _load(directory, self.folder, seed)
        except InputError as error:
            raise InputError(
                f"{error}\nRun `vae_ortho_download_data {self.folder}`, or put "
                f"{', '.join(SHAPES)}, each plain or with .gz, into {directory}. This place follows "
                f"from {describe_root(root)}; set {VARIABLE} to the directory that holds "
                f"{self.folder}/ to use another."
            ) from error
        super().__init__(images, scale=1 / 255)

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """Class numbers uint8 [n] of each split; they are no generating factors."""
        return {name: self._labels[self._points(name)] for name in SPLITS}


@gin.configurable("mnist", allowlist=["root", "seed"])
class MNIST(IdxImages):
    """MNIST (LeCun, Cortes), from mnist/ below the data root."""

    folder = "mnist"


@gin.configurable("fashion_mnist", allowlist=["root", "seed"])
class FashionMNIST(IdxImages):
    """Fashion-MNIST (Xiao, Rasul, Vollgraf), from fashion_mnist/ below the data root."""

    folder = "fashion_mnist"


def _load(directory: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    paths = tuple(_find(directory, file) for file in SHAPES)
    return _read_shuffled(paths, tuple(path.stat().st_mtime_ns for path in paths), name, seed)


def _find(directory: Path, file: str) -> Path:
    candidates = [directory / file, directory / f"{file}.gz"]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"Neither {candidates[0]} nor {candidates[1]} exists.")


@functools.lru_cache(maxsize=2)
def _read_shuffled(
    paths: tuple[Path, ...], mtimes: tuple[int, ...], name: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [70000, 28, 28, 1] and labels; `mtimes` only tell changed files apart."""
    train, test, *labels = map(read_idx, paths, SHAPES.values())
    for other, pixel_sum in _PIXEL_SUMS.items():
        if other != name and train.sum() == pixel_sum:
            raise InputError(f"{paths[0]}: expected the images of {name}, found those of {other}.")
    order = np.random.RandomState(seed).permutation(len(train) + len(test))
    return np.concatenate([train, test])[order, ..., np.newaxis], np.concatenate(labels)[order]
