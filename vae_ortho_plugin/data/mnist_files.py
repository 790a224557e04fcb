# SPDX-License-Identifier: Apache-2.0
"""The files of MNIST and Fashion-MNIST: what they hold, where they lie, reading them."""

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
# Sums tell the data sets apart, whose shapes are equal, in whatever order a copy has its images.
SUMS = {
    "mnist": dict(zip(SHAPES, (1_567_298_545, 264_923_200, 267_236, 44_434), strict=True)),
    "fashion_mnist": dict(zip(SHAPES, (3_431_114_169, 573_469_082, 270_000, 45_000), strict=True)),
}


def check_file(path: Path, name: str, file: str) -> None:
    """Raises InputError unless `path` has the content of `file`, a key of SHAPES, of data `name`."""
    found, expected = int(read_idx(path, SHAPES[file]).sum()), SUMS[name][file]
    if found != expected:
        raise InputError(
            f"{path}: these are not the values of {name}; expected the sum {expected:,}, "
            f"found {found:,}."
        )


def find_file(directory: Path, file: str) -> Path:
    """`file`.gz or `file` in the directory; InputError where there is neither.

    The first is what vae_ortho_download_data writes: it thus replaces a damaged `file`, too.
    """
    candidates = [directory / f"{file}.gz", directory / file]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"Neither {candidates[0]} nor {candidates[1]} exists.")


def load_shuffled(directory: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images together, uint8 [70000, 28, 28, 1], and labels uint8 [70000].

    They are read once per process, data set and seed, as long as the files stay unchanged.

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
