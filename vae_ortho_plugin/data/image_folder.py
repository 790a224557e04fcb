# SPDX-License-Identifier: Apache-2.0
"""dataset.name = 'image_folder': the image files of a folder, without factors."""

import functools
from pathlib import Path

import gin
import numpy as np

from vae_ortho_plugin.data import own_data
from vae_ortho_plugin.data.files.cache import cached
from vae_ortho_plugin.data.files.location import contents
from vae_ortho_plugin.data.own_data import OwnData
from vae_ortho_plugin.errors import InputError, check_whole

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@gin.configurable("image_folder", allowlist=["path", "size", "grey", "seed"])
class ImageFolder(OwnData):
    """The images below a folder, sorted by path, shuffled by a seed and split 80 %, 10 %, 10 %.

    A process keeps them once, as bytes; observations lie in [0, 1].
    """

    def __init__(
        self,
        path: str = gin.REQUIRED,
        size: int | tuple[int, int] | None = None,
        grey: bool = False,
        seed: int = 0,
    ):
        """Reads the images.

        Args:
            path: of the folder, from the current directory or else from the data root.
            size: side, or (height, width), to which the images are resized; None for images that
                have all the same size. dlib's own convolutional networks need 64.
            grey: one channel instead of the three of colours.
            seed: of the splits.

        Raises:
            InputError: no such folder, no images in it, a damaged one, or different sizes.
        """
        check_whole("image_folder.seed", seed)
        sides = _sides(size)
        folder = own_data.find(path, "image_folder.path")
        files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in _SUFFIXES]
        if not files:
            raise InputError(
                f"image_folder.path = {path!r}: there are no images ({', '.join(_SUFFIXES)}). "
                f"{contents(folder)}"
            )
        key = f"image_folder {sides} {grey} {seed}"
        images = cached(key, files, functools.partial(_read, files, sides, grey, seed))
        super().__init__(images, 1 / 255, None)


def _sides(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    for side in sides:
        check_whole("image_folder.size", side, at_least=1)
    if len(sides) != 2:
        raise InputError(f"image_folder.size = {size!r}; it must be a side or (height, width).")
    return sides


def _read(files: list[Path], sides: tuple[int, int] | None, grey: bool, seed: int) -> np.ndarray:
    """uint8 [n, height, width, channels], shuffled."""
    from vae_ortho_plugin.data.files import npz

    first = _image(files[0], sides, grey)
    images = npz.aligned((len(files), *first.shape))
    for place, number in enumerate(np.random.RandomState(seed).permutation(len(files))):
        image = _image(files[number], sides, grey)
        if image.shape != first.shape:
            raise InputError(
                f"{files[number]} has {image.shape[0]} x {image.shape[1]} pixels, {files[0]} "
                f"{first.shape[0]} x {first.shape[1]}; set image_folder.size to resize them."
            )
        images[place] = image
    images.flags.writeable = False
    return images


def _image(file: Path, sides: tuple[int, int] | None, grey: bool) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            image = image.convert("L" if grey else "RGB")
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{file}: damaged, or not an image ({error}).") from error
    if sides is not None and image.size != sides[::-1]:
        image = image.resize(sides[::-1], Image.Resampling.LANCZOS)
    pixels = np.array(image)
    return pixels[..., np.newaxis] if grey else pixels
