# SPDX-License-Identifier: Apache-2.0
"""The file of dSprites, read without pickle and once per process, and dlib's classes for it."""

import functools
import math
import zipfile
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data import npz
from vae_ortho_plugin.data.location import check_file, dlib_path, remedy
from vae_ortho_plugin.data.origin import has_hash
from vae_ortho_plugin.errors import InputError

# As in dlib, below the data root.
FILE = Path("dsprites", "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz")
SCREAM_FILE = Path("scream", "scream.jpg")
# Numbers of values of colour, shape, scale, orientation, x and y.
SIZES = (1, 3, 6, 40, 32, 32)
# Of the published file.
KNOWN_HASH = "md5:7da33b31b13a06f4b04a70402ce90c2e"
# Stands in a rendered archive's comment, which can be read without pickle and stays with the file.
RENDERED = "rendered; 240 of 240 published images are equal"


def is_rendered(path: str | Path) -> bool:
    """Whether vae_ortho_render_dsprites wrote `path`; False if it is no readable archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment.startswith(b"rendered")
    except (OSError, zipfile.BadZipFile):
        return False


def official_path() -> Path:
    """Where dlib's data sets look for the file."""
    from disentanglement_lib.data.ground_truth import dsprites

    return dlib_path(dsprites, "DSPRITES_PATH", FILE)


def scream_path() -> Path:
    """Where dlib's scream_dsprites looks for the painting."""
    from disentanglement_lib.data.ground_truth import dsprites

    return dlib_path(dsprites, "SCREAM_PATH", SCREAM_FILE)


def origin(data_set: str) -> str | None:
    """What the file of dlib's data set of this name is; None if it is the published one."""
    path = official_path()
    if "dsprites" not in data_set or not path.is_file() or has_hash(path, KNOWN_HASH):
        return None
    return RENDERED if is_rendered(path) else f"{path.name} is not the published file"


def check_official(path: Path) -> None:
    """Raises InputError unless `path` is a whole archive with the official keys, shapes and counts.

    It decompresses the whole archive block by block and compares its checksums.
    """
    with npz.opened(path, "dSprites") as archive:
        npz.check_shape(path, archive, "imgs", "uint8", (math.prod(SIZES), 64, 64))
        npz.check_shape(path, archive, "latents_values", "float64", (math.prod(SIZES), len(SIZES)))
        if _sizes(path, archive) != SIZES:
            raise InputError(f"{path}: expected factors of sizes {SIZES}.")
        npz.check_shape(path, archive, "metadata", "object", ())
        damaged = archive.testzip()
        if damaged:
            raise InputError(f"{path}: {damaged} in it is damaged.")


def check_scream(path: Path) -> None:
    """Raises InputError unless `path` is an image of more than 64 x 64 pixels in dlib's size."""
    load_scream(path)


def load_dsprites(path: str | Path) -> tuple[np.ndarray, tuple[int, ...]]:
    """The images, uint8 [n, 64, 64], read-only, and the numbers of values of the six factors.

    A process reads an unchanged file once and keeps the images.

    Raises:
        InputError: there is no such file, or it is damaged or not in the layout of dSprites.
    """
    path = Path(path)
    check_file(path)
    sizes = _checked_sizes(path, path.stat().st_mtime_ns)
    return npz.large_array(path, "dSprites", "imgs"), sizes


def load_scream(path: Path) -> np.ndarray:
    """The painting in the size that dlib reduces it to, float64 [height, width, 3] in [0, 1].

    Raises:
        InputError: there is no such file, or it is no image or too small for crops of 64 x 64.
    """
    from PIL import Image, UnidentifiedImageError

    check_file(path)
    try:
        with Image.open(path) as image:
            scream = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path}: damaged, or not an image ({error}).") from error
    # dlib asks for (350, 274, 3); today's Pillow refuses the third number, which never had a use.
    scream.thumbnail((350, 274))
    if min(scream.size) <= 64:
        raise InputError(
            f"{path}: an image of {scream.width} x {scream.height} pixels in dlib's size; crops of "
            "64 x 64 need more."
        )
    return np.array(scream) / 255.0


def initialize(self, latent_factor_indices: list[int] | None = None) -> None:
    """Replaces dlib's `dsprites.DSprites.__init__`: the same attributes from `load_dsprites`.

    dlib's function reads the file again for every object, in 20 seconds and with twice its size in
    memory, and assumes the official `full_factor_sizes`.

    Raises:
        InputError: there is no good file; the message says how to get it.
    """
    from disentanglement_lib.data.ground_truth import util

    path = official_path()
    try:
        self.images, sizes = load_dsprites(path)
    except InputError as error:
        by_hand = "or `vae_ortho_render_dsprites` to draw the same images without a network"
        raise InputError(f"{error} {remedy('dsprites', path.parent, by_hand)}") from error
    if latent_factor_indices is None:
        latent_factor_indices = list(range(len(sizes)))
    self.latent_factor_indices = latent_factor_indices
    self.data_shape = [64, 64, 1]
    self.full_factor_sizes = list(sizes)
    self.factor_sizes = np.array(sizes)
    self.factor_bases = np.prod(sizes) / np.cumprod(sizes)
    self.state_space = util.SplitDiscreteStateSpace(self.factor_sizes, self.latent_factor_indices)


def initialize_scream(self, latent_factor_indices: list[int] | None = None) -> None:
    """Replaces dlib's `dsprites.ScreamDSprites.__init__`, which fails on today's Pillow.

    Raises:
        InputError: dSprites or the painting are missing or broken.
    """
    initialize(self, latent_factor_indices)
    self.data_shape = [64, 64, 3]
    path = scream_path()
    try:
        self.scream = load_scream(path)
    except InputError as error:
        raise InputError(f"{error} {remedy('scream', path.parent)}") from error


@functools.lru_cache(maxsize=4)
def _checked_sizes(path: Path, _mtime: int) -> tuple[int, ...]:
    with npz.opened(path, "dSprites") as archive:
        sizes = _sizes(path, archive)
        npz.check_shape(path, archive, "imgs", "uint8", (math.prod(sizes), 64, 64))
    return sizes


def _sizes(path: Path, archive: zipfile.ZipFile) -> tuple[int, ...]:
    """Numbers of values of the factors, from latents_classes: metadata is a pickle."""
    classes = npz.small_array(archive, "latents_classes")
    if classes.ndim == 2 and len(classes) and classes.shape[1] == len(SIZES):
        sizes = tuple((classes.max(axis=0) + 1).tolist())
        if is_grid(classes, sizes):
            return sizes
    raise InputError(
        f"{path}: its latents_classes are not all combinations of six factors in order."
    )


def is_grid(classes: np.ndarray, sizes: tuple[int, ...]) -> bool:
    """Whether [n, factors] are all combinations of class numbers, the last factor fastest."""
    return np.array_equal(classes, np.indices(sizes).reshape(len(sizes), -1).T)
