# SPDX-License-Identifier: Apache-2.0
"""Data sets of stored images, for which dlib has a class: where the files are and what they hold.

dlib's classes stay; their `__init__` is replaced by one that runs on current Pillow and NumPy, sets the
same attributes, and holds the images as bytes, once per process.
"""

import dataclasses
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_ortho_plugin.data.files.location import data_root, remedy
from vae_ortho_plugin.data.files.read_files import note_origin
from vae_ortho_plugin.errors import InputError


class ScaledImages:
    """Images in [0, 1], stored as bytes, in place of dlib's float arrays: an access makes float32 of a part.

    Attributes:
        stored: uint8 [n, ...].
    """

    dtype = np.dtype(np.float32)

    def __init__(self, stored: np.ndarray):
        self.stored = stored
        self.shape = stored.shape

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index) -> np.ndarray:
        return self.stored[index].astype(np.float32) / np.float32(255)


class StoredImages(NamedTuple):
    """What the files of a data set hold: images as bytes, [n, ...].

    Attributes:
        sizes: numbers of values of the factors.
        features: class numbers of the images [n, factors], where they do not follow from the order.
        origin: what the files are if they are known not to be the published ones.
    """

    images: np.ndarray
    sizes: tuple[int, ...]
    features: np.ndarray | None = None
    origin: str | None = None


# dlib's constants as they were when their modules were imported.
_AT_IMPORT: dict[tuple[str, str], str] = {}


@dataclasses.dataclass(frozen=True)
class StoredFiles:
    """The files of a data set of dlib.

    Attributes:
        name: of the data set for vae_ortho_download_data.
        place: of a file in the data set's folder, or of the folder, below the data root.
        read: StoredImages, or another content, of the files at a path; InputError where they are not good.
        constant: the module of dlib and the name of the path in it, where it has one.
        by_hand: what else than a download helps, a half sentence that begins with "or".
        shown: the factors that are not drawn at random; None for all.
        scaled: whether dlib's class indexes images in [0, 1], not bytes.
    """

    name: str
    place: Path
    read: Callable[[Path], Any]
    constant: tuple[str, str] | None = None
    by_hand: str = ""
    shown: tuple[int, ...] | None = None
    scaled: bool = True

    def path(self) -> Path:
        """Where dlib looks for the files.

        dlib computes its constant from the environment when it is imported; here a variable that is set
        later counts, too. A constant that was assigned later is used as it is: the first call comes right
        after the import, so that this can be told.
        """
        if self.constant is not None:
            module, name = self.constant
            module = importlib.import_module(f"disentanglement_lib.data.ground_truth.{module}")
            current = getattr(module, name)
            if current != _AT_IMPORT.setdefault(self.constant, current):
                return Path(current)
        return data_root() / self.place

    def content(self) -> Any:
        """What the files hold; where they are not good, the InputError says how to get them."""
        path = self.path()
        try:
            return self.read(path)
        except InputError as error:
            folder = path if len(self.place.parts) == 1 else path.parent
            raise InputError(f"{error} {remedy(self.name, folder, self.by_hand)}") from error

    def initialize(self, data, shown: list[int] | None = None) -> None:
        """Sets the attributes of a data set of dlib from StoredImages; `shown` replaces `self.shown`."""
        from disentanglement_lib.data.ground_truth import util

        images, sizes, features, origin = self.content()
        data.images = ScaledImages(images) if self.scaled else images
        note_origin(self.name, origin)
        data.data_shape = [64, 64, *(data.images.shape[3:] or [1])]
        data.factor_sizes = list(sizes)
        data.num_total_factors = len(sizes)
        shown = self.shown if shown is None else shown
        data.latent_factor_indices = list(range(len(sizes)) if shown is None else shown)
        data.factor_bases = math.prod(sizes) / np.cumprod(sizes)
        if features is not None:
            data.index = util.StateSpaceAtomIndex(data.factor_sizes, features)
        data.state_space = util.SplitDiscreteStateSpace(
            data.factor_sizes, data.latent_factor_indices
        )


def grid(sizes: tuple[int, ...]) -> np.ndarray:
    """All combinations of class numbers [n, factors], the last factor fastest."""
    return np.indices(sizes).reshape(len(sizes), -1).T


def flat(images: np.ndarray) -> np.ndarray:
    """Images [n, height, width, channels] of an array that may have an axis for each factor."""
    return images.reshape(-1, *images.shape[-3:]) if images.size else images


def check_array(path: Path, key: str, array: Any, dtype: str, *shapes: tuple[int, ...]) -> None:
    """Raises InputError unless type and shape of an array in a file are `dtype` and one of `shapes`."""
    if array.dtype.name != dtype or array.shape not in shapes:
        raise InputError(
            f"{path}: expected {key} to be {dtype} of shape {' or '.join(map(str, shapes))}, "
            f"found {array.dtype.name} of shape {array.shape}."
        )
