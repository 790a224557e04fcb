# SPDX-License-Identifier: Apache-2.0
"""The files of MNIST and Fashion-MNIST: their contents and places, and how they are read.

They need no dlib, so that the commands that look for files start at once.
"""

from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae_ortho_plugin.data.files.location import check_file, contents, exists
from vae_ortho_plugin.data.files.read_files import cached, has_hash, note_origin
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.files.unpack import read_array
from vae_ortho_plugin.errors import InputError

SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-labels-idx1-ubyte": (10_000,),
}
# Of each file in the order of SHAPES: the sum of its values, which tells the data sets apart in any
# order of the images, and the SHA-256 of the published gzip file.
PUBLISHED = {
    "mnist": (
        (1_567_298_545, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (264_923_200, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (267_236, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (44_434, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion_mnist": (
        (3_431_114_169, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (573_469_082, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (270_000, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (45_000, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
}
# SHA-256 of KMNIST's packed training images (TensorFlow Datasets, url_checksums/).
_KMNIST = "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"
_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
# An IDX file of unsigned bytes begins with these, the number of sizes, and the sizes.
_IDX_MAGIC = b"\0\0\x08"


def read_idx(path: Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The array uint8 in an IDX file, plain or packed by gzip; `shape` is expected, None accepts any."""

    def header(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
        magic = file.read(4)
        if len(magic) < 4 or magic[:3] != _IDX_MAGIC:
            raise InputError(
                f"{path}: not an IDX file of unsigned bytes; expected the bytes {_IDX_MAGIC.hex(' ')} "
                f"and the number of dimensions, found {magic.hex(' ') or 'an empty file'}."
            )
        sizes = file.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            raise InputError(f"{path}: truncated within its header of {4 + 4 * magic[3]} bytes.")
        found = tuple(np.frombuffer(sizes, ">u4").tolist())
        if shape not in (None, found):
            raise InputError(
                f"{path}: expected uint8 of shape {shape}, found uint8 of shape {found}."
            )
        return np.dtype(np.uint8), found

    return np.array(read_array(path, header))


def check_published(path: Path, name: str, file: str) -> None:
    """Raises InputError unless `path` has the content of the file `file` of the data set `name`."""
    found = int(read_idx(path, SHAPES[file]).sum())
    expected, _ = PUBLISHED[name][list(SHAPES).index(file)]
    if found != expected:
        raise InputError(
            f"{path}: these are not the values of {name}; expected the sum {expected:,}, "
            f"found {found:,}."
        )


def remotes(name: str, *mirrors: str) -> tuple[Remote, ...]:
    """The four gzip files of a data set, which all mirrors have."""
    return tuple(
        Remote(
            Path(name, f"{file}.gz"),
            tuple(f"{mirror}/{file}.gz" for mirror in mirrors),
            sha256,
            partial(check_published, name=name, file=file),
        )
        for file, (_, sha256) in zip(SHAPES, PUBLISHED[name], strict=True)
    )


_MNIST = remotes(
    "mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
)
_FASHION_HOME = "https://github.com/zalandoresearch/fashion-mnist"
_FASHION_MNIST = remotes(
    "fashion_mnist",
    f"{_FASHION_HOME}/raw/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)
DOWNLOADS = {
    "mnist": Download(_MNIST, "12 MB", "CC BY-SA 3.0", "http://yann.lecun.com/exdb/mnist/"),
    "fashion_mnist": Download(_FASHION_MNIST, "31 MB", "MIT", _FASHION_HOME),
}


def find_file(directory: Path, file: str) -> Path:
    """Path of a file of MNIST or Fashion-MNIST, packed or plain.

    It is looked for in `directory` and where torchvision puts it: raw/ in it, and MNIST/raw/ or
    FashionMNIST/raw/ in it or beside it. The name may have a dot, as in train-images.idx3-ubyte; `file`
    is a key of SHAPES.
    """
    torchvision = Path(_TORCHVISION.get(directory.name, ""), "raw")
    inside = (directory, directory / "raw", directory / torchvision)
    for folder in (*inside, directory.parent / torchvision):
        for name in (file, file.replace("-idx", ".idx")):
            # The packed file first: vae_ortho_download_data writes it where a plain one is damaged.
            for path in (folder / f"{name}.gz", folder / name):
                if exists(path):
                    return path
    plain = directory / file
    raise InputError(f"Neither {plain}.gz nor {plain} exists. {contents(directory)}")


def load_shuffled(directory: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images together, uint8 [70000, 28, 28, 1], and labels uint8 [70000].

    Results say so if the values are not the published ones.
    """
    paths = [find_file(directory, file) for file in SHAPES]
    for path in paths:
        check_file(path)
    read = partial(_load_shuffled, paths, name, seed)
    images, labels, published = cached(f"{name} {seed}", paths, read)
    other = f"other values than the published {name} in {paths[0].parent}"
    note_origin(name, None if published else other)
    return images, labels


def _load_shuffled(paths: list[Path], name: str, seed: int) -> tuple[np.ndarray, np.ndarray, bool]:
    train, test, *labels = arrays = list(map(read_idx, paths, SHAPES.values()))
    published = [int(array.sum()) for array in arrays] == [total for total, _ in PUBLISHED[name]]
    found = None if published else _other_data_set(name, paths[0], train, labels[0])
    if found:
        raise InputError(f"{paths[0]}: expected the images of {name}, found those of {found}.")
    order = np.random.RandomState(seed).permutation(len(train) + len(test))
    images = np.concatenate([train, test])[order, ..., np.newaxis]
    return images, np.concatenate(labels)[order], published


def _other_data_set(name: str, path: Path, train: np.ndarray, labels: np.ndarray) -> str | None:
    """Which data set of the same shapes the files are of, if that can be told."""
    for other, ((train_sum, _), *_) in PUBLISHED.items():
        if other != name and train.sum() == train_sum:
            return other
    if has_hash(path, _KMNIST):
        return "KMNIST"
    if name == "mnist" and np.array_equal(np.bincount(labels, minlength=10), [6000] * 10):
        # MNIST's classes have 5,421 to 6,742 images.
        return "KMNIST or EMNIST: 6,000 of each class"
    return None
