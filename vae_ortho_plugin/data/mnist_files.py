# SPDX-License-Identifier: Apache-2.0
"""The files of MNIST and Fashion-MNIST: their contents and places, and how they are read."""

import functools
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.idx import read_idx
from vae_ortho_plugin.errors import InputError

SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-labels-idx1-ubyte": (10_000,),
}
# The data sets have the same shapes. Sums of the values tell them apart, whatever the order of the
# images.
SUMS = {
    "mnist": dict(zip(SHAPES, (1_567_298_545, 264_923_200, 267_236, 44_434), strict=True)),
    "fashion_mnist": dict(zip(SHAPES, (3_431_114_169, 573_469_082, 270_000, 45_000), strict=True)),
}


def check_file(path: Path, name: str, file: str) -> None:
    """Raises InputError unless `path` has the content of the file `file` of the data set `name`."""
    found, expected = int(read_idx(path, SHAPES[file]).sum()), SUMS[name][file]
    if found != expected:
        raise InputError(
            f"{path}: these are not the values of {name}; expected the sum {expected:,}, "
            f"found {found:,}."
        )


def find_file(directory: Path, file: str) -> Path:
    """Path of `file`.gz or `file` in the directory; InputError if there is neither.

    vae_ortho_download_data writes the first, which therefore also replaces a damaged `file`.
    """
    candidates = [directory / f"{file}.gz", directory / file]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"Neither {candidates[0]} nor {candidates[1]} exists.")


def load_shuffled(directory: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images together, uint8 [70000, 28, 28, 1], and labels uint8 [70000].

    A process reads unchanged files once per data set and seed.

    Raises:
        InputError: a file is missing, damaged or of the other data set.
    """
    paths = tuple(find_file(directory, file) for file in SHAPES)
    return _load_shuffled(paths, tuple(path.stat().st_mtime_ns for path in paths), name, seed)


@functools.lru_cache(maxsize=2)
def _load_shuffled(
    paths: tuple[Path, ...], _mtimes: tuple[int, ...], name: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    train, test, *labels = map(read_idx, paths, SHAPES.values())
    for other, sums in SUMS.items():
        if other != name and train.sum() == sums["train-images-idx3-ubyte"]:
            raise InputError(f"{paths[0]}: expected the images of {name}, found those of {other}.")
    order = np.random.RandomState(seed).permutation(len(train) + len(test))
    return np.concatenate([train, test])[order, ..., np.newaxis], np.concatenate(labels)[order]
