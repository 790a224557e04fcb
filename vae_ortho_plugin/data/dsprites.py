# SPDX-License-Identifier: Apache-2.0
"""The file of dSprites, read without pickle, and the painting of dlib's scream_dsprites."""

import math
import zipfile
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import check_file, reading
from vae_ortho_plugin.data.files.read_files import cached, has_hash
from vae_ortho_plugin.data.files.remote import Download, Remote
from vae_ortho_plugin.data.stored_images import StoredFiles, StoredImages, check_array, grid
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


def origin(data_set: str) -> str | None:
    """What the file of dlib's data set of this name is; None if it is the published one."""
    path = FILES.path()
    if "dsprites" not in data_set or not path.is_file() or has_hash(path, KNOWN_HASH):
        return None
    return RENDERED if is_rendered(path) else f"{path.name} is not the published file"


def check_published(path: Path) -> None:
    """Raises InputError unless `path` is a whole archive with the official arrays and is not rendered.

    It decompresses the archive block by block and compares its check sums.
    """
    if is_rendered(path):
        raise InputError(f"{path} is rendered.")
    with npz.opened(path, "dSprites") as archive:
        for key in ("latents_values", "metadata"):
            archive.getinfo(f"{key}.npy")
        with archive.open("imgs.npy") as file:
            shape, _, dtype = npz.checked_header(archive, "imgs", file)
        if damaged := archive.testzip():
            raise InputError(f"{path}: {damaged} in it is damaged.")
    if _sizes(path) != SIZES or (dtype, shape) != (np.uint8, (math.prod(SIZES), 64, 64)):
        raise InputError(f"{path}: expected factors of sizes {SIZES}, and images of 64 x 64 bytes.")


def load_dsprites(path: Path) -> StoredImages:
    """The images, uint8 [n, 64, 64], and the sizes that the file states; dlib assumes SIZES."""
    check_file(path)
    sizes = cached("sizes of dSprites", [path], lambda: _sizes(path), small=True)
    images = npz.large_array(path, "dSprites", "imgs")
    check_array(path, "imgs", images, "uint8", (math.prod(sizes), 64, 64))
    return StoredImages(images, sizes)


def load_scream(path: Path) -> np.ndarray:
    """The painting in the size that dlib reduces it to, float64 [height, width, 3] in [0, 1]."""
    from PIL import Image

    check_file(path)
    with reading(path, "damaged, or not an image", OSError), Image.open(path) as image:
        scream = image.convert("RGB")
    # dlib asks for (350, 274, 3); today's Pillow refuses the third number, which never had a use.
    scream.thumbnail((350, 274))
    if min(scream.size) <= 64:
        raise InputError(
            f"{path}: an image of {scream.width} x {scream.height} pixels in dlib's size; crops of "
            "64 x 64 need more."
        )
    return np.array(scream) / 255.0


FILES = StoredFiles(
    "dsprites",
    FILE,
    load_dsprites,
    ("dsprites", "DSPRITES_PATH"),
    "or `vae_ortho_render_dsprites` to draw the same images without a network",
    scaled=False,
)
_HOMEPAGE = "https://github.com/google-deepmind/dsprites-dataset"
DOWNLOAD = Download(
    (Remote(FILE, (f"{_HOMEPAGE}/raw/master/{FILE.name}",), KNOWN_HASH, check_published),),
    "some 30 MB",
    "Apache 2.0",
    _HOMEPAGE,
    f"take {FILE.name} from the homepage and put it at {{root}}/{FILE}",
    (
        *("abstract_dsprites", "color_dsprites", "dsprites_full", "dsprites_noshape"),
        *("noisy_dsprites", "scream_dsprites"),
    ),
)
SCREAM = StoredFiles("scream", SCREAM_FILE, load_scream, ("dsprites", "SCREAM_PATH"))
_SCREAM_URL = "https://upload.wikimedia.org/wikipedia/commons/f/f4/The_Scream.jpg"
SCREAM_DOWNLOAD = Download(
    (Remote(SCREAM_FILE, (_SCREAM_URL,), None, load_scream),),
    "an image",
    "public domain",
    "https://commons.wikimedia.org/wiki/File:The_Scream.jpg",
    f"any photograph of Edvard Munch's The Scream serves; put it at {{root}}/{SCREAM_FILE}",
    ("scream_dsprites",),
)


def initialize(self, latent_factor_indices: list[int] | None = None) -> None:
    """Replaces dlib's `dsprites.DSprites.__init__`.

    dlib reads the file for every object, in 20 seconds and with twice its size in memory.
    """
    FILES.initialize(self, latent_factor_indices)
    self.full_factor_sizes = self.factor_sizes


def initialize_scream(self, latent_factor_indices: list[int] | None = None) -> None:
    """Replaces dlib's `dsprites.ScreamDSprites.__init__`, which fails on today's Pillow."""
    initialize(self, latent_factor_indices)
    self.data_shape = [64, 64, 3]
    self.scream = SCREAM.content()


def _sizes(path: Path) -> tuple[int, ...]:
    """Numbers of values of the factors, from latents_classes: metadata is a pickle."""
    with npz.opened(path, "dSprites") as archive:
        classes = npz.small_array(archive, "latents_classes")
    if classes.ndim == 2 and len(classes) and classes.shape[1] == len(SIZES):
        sizes = tuple((classes.max(axis=0) + 1).tolist())
        if np.array_equal(classes, grid(sizes)):
            return sizes
    raise InputError(
        f"{path}: its latents_classes are not all combinations of six factors in order."
    )
