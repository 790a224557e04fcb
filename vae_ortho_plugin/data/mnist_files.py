# SPDX-License-Identifier: Apache-2.0
"""The files of MNIST and Fashion-MNIST: their contents and places, and how they are read."""

import functools
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data import read_files
from vae_ortho_plugin.data.files.idx import read_idx
from vae_ortho_plugin.data.files.location import check_file as check_readable
from vae_ortho_plugin.data.files.location import contents, exists
from vae_ortho_plugin.data.files.origin import has_hash, note
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

# SHA-256 and size of KMNIST's packed training images (TensorFlow Datasets, url_checksums/).
_KMNIST = ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18_165_135)
_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def check_file(path: Path, name: str, file: str) -> None:
    """Raises InputError unless `path` has the content of the file `file` of the data set `name`."""
    found, expected = int(read_idx(path, SHAPES[file]).sum()), SUMS[name][file]
    if found != expected:
        raise InputError(
            f"{path}: these are not the values of {name}; expected the sum {expected:,}, "
            f"found {found:,}."
        )


def find_file(directory: Path, file: str) -> Path:
    """Path of a file of MNIST or Fashion-MNIST, packed or plain.

    It is looked for in `directory` and where torchvision puts it: raw/ in it, and MNIST/raw/ or
    FashionMNIST/raw/ in it or beside it. The name may have a dot, as in train-images.idx3-ubyte.

    Args:
        directory: mnist/ or fashion_mnist/ below a data root.
        file: a key of SHAPES.

    Raises:
        InputError: there is no such file; the message says what the directory holds.
    """
    torchvision = Path(_TORCHVISION.get(directory.name, ""), "raw")
    folders = [
        directory,
        directory / "raw",
        directory / torchvision,
        directory.parent / torchvision,
    ]
    # A packed file comes first: vae_ortho_download_data writes it where a plain one is damaged.
    names = [
        f"{name}{suffix}" for name in (file, file.replace("-idx", ".idx")) for suffix in (".gz", "")
    ]
    for folder in folders:
        for name in names:
            if exists(folder / name):
                return folder / name
    plain = directory / file
    raise InputError(f"Neither {plain}.gz nor {plain} exists. {contents(directory)}")


def load_shuffled(directory: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images together, uint8 [70000, 28, 28, 1], and labels uint8 [70000].

    A process reads unchanged files once per data set and seed. Results say so if the values are
    not the published ones.

    Raises:
        InputError: a file is missing, damaged or of another data set.
    """
    paths = tuple(find_file(directory, file) for file in SHAPES)
    for path in paths:
        check_readable(path)
    read_files.note(paths)
    mtimes = tuple(path.stat().st_mtime_ns for path in paths)
    images, labels, published = _load_shuffled(paths, mtimes, name, seed)
    note(
        name, None if published else f"other values than the published {name} in {paths[0].parent}"
    )
    return images, labels


@functools.lru_cache(maxsize=2)
def _load_shuffled(
    paths: tuple[Path, ...], _mtimes: tuple[int, ...], name: str, seed: int
) -> tuple[np.ndarray, np.ndarray, bool]:
    train, test, *labels = arrays = list(map(read_idx, paths, SHAPES.values()))
    published = [int(array.sum()) for array in arrays] == list(SUMS[name].values())
    found = None if published else _other_data_set(name, paths[0], train, labels[0])
    if found:
        raise InputError(f"{paths[0]}: expected the images of {name}, found those of {found}.")
    order = np.random.RandomState(seed).permutation(len(train) + len(test))
    images = np.concatenate([train, test])[order, ..., np.newaxis]
    return images, np.concatenate(labels)[order], published


def _other_data_set(name: str, path: Path, train: np.ndarray, labels: np.ndarray) -> str | None:
    """Which data set of the same shapes the files are of, if that can be told."""
    for other, sums in SUMS.items():
        if other != name and train.sum() == sums["train-images-idx3-ubyte"]:
            return other
    if has_hash(path, *_KMNIST):
        return "KMNIST"
    if name == "mnist" and np.array_equal(np.bincount(labels, minlength=10), [6000] * 10):
        # MNIST's classes have 5,421 to 6,742 images.
        return "KMNIST or EMNIST: 6,000 of each class"
    return None
