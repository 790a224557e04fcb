# SPDX-License-Identifier: Apache-2.0
"""dataset.name = 'image_folder': the image files of a folder, without factors."""

import collections
import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import gin
import numpy as np
from PIL import ImageColor

from vae_ortho_plugin.data import own_data
from vae_ortho_plugin.data.files import image_file, npz
from vae_ortho_plugin.data.files.location import contents
from vae_ortho_plugin.data.files.read_files import cached
from vae_ortho_plugin.data.own_data import OwnData
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError, check_one_of, check_whole

# Of the formats BMP, GIF, JPEG, PNG, PPM, TIFF and WebP.
_SUFFIXES = (
    *(".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
# Folders of previews and deleted files that are hidden on their own systems.
_HIDDEN = ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX")


@gin.configurable("image_folder")
class ImageFolder(OwnData):
    """The images below a folder, sorted by path, shuffled by a seed and split 80 %, 10 %, 10 %.

    Links are followed, hidden files and folders (`.name`) left out, and a file that is there under two
    names is one image. A process holds the images once, as bytes, or those of more than 8 bits as
    float32; observations lie in [0, 1].
    """

    def __init__(
        self,
        path: str = gin.REQUIRED,
        size: int | tuple[int, int] | None = None,
        grey: bool = False,
        seed: int = 0,
        background: str | None = None,
    ):
        """Reads the images.

        Args:
            path: of the folder, from the current directory or else from the data root.
            size: side, or (height, width), to which the images are resized; None for images that
                have all the same size. dlib's own convolutional networks need 64.
            grey: one channel instead of the three of colours.
            seed: of the splits.
            background: colour behind transparent pixels, such as 'white' or '#808080'; None for images
                without such pixels.

        Raises:
            InputError: no such folder, no images in it, a link to nothing, an image that
                `image_file.read` refuses, or different sizes or types.
        """
        check_whole("image_folder.seed", seed)
        check_one_of("image_folder.grey", grey, (False, True))
        _check_colour(background)
        sides = _sides(size)
        folder = own_data.find(path, "image_folder.path")
        files, count = _image_files(folder)
        if not files:
            raise InputError(
                f"image_folder.path = {path!r}: there are no images ({', '.join(_SUFFIXES)}). "
                f"{contents(folder)}"
            )
        key = f"image_folder {sides} {grey} {seed} {background}"
        read = functools.partial(image_file.read, sides=sides, grey=grey, background=background)
        images = cached(key, files, functools.partial(_read, files, count, read, seed))
        super().__init__(images, 1 / 255 if images.dtype == np.uint8 else 1.0, None)


def _sides(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    for side in sides:
        check_whole("image_folder.size", side, at_least=1)
    if len(sides) != 2:
        raise InputError(f"image_folder.size = {size!r}; it must be a side or (height, width).")
    return sides


def _check_colour(background: str | None) -> None:
    try:
        if background is not None:
            _red, _green, _blue = ImageColor.getrgb(background)  # a fourth one is its transparency
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"image_folder.background = {background!r}; it must be the name of a colour, such as "
            "'white', or '#rrggbb'."
        ) from error


def _image_files(folder: Path) -> tuple[list[Path], str]:
    """The image files below a folder, sorted, each file once; how many were taken and left out."""
    files, seen = [], set()
    taken, left = collections.Counter(), collections.Counter()

    def is_new(status: os.stat_result) -> bool:
        before = len(seen)
        seen.add((status.st_dev, status.st_ino))
        return len(seen) > before

    is_new(_status(folder))
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        shown = [name for name in sorted(folders) if not _is_hidden(name)]
        left["hidden"] += len(folders) - len(shown)
        # In place, for os.walk; a folder is walked once, so that links cannot lead in circles.
        folders[:] = [name for name in shown if is_new(_status(Path(place, name)))]
        for name in sorted(names):
            path = Path(place, name)
            suffix = path.suffix.lower()
            if _is_hidden(name):
                left["hidden"] += 1
            elif not stat.S_ISREG((status := _status(path)).st_mode) or suffix not in _SUFFIXES:
                left[suffix or "without a suffix"] += 1
            elif not is_new(status):
                left["there twice"] += 1
            else:
                taken[suffix] += 1
                files.append(path)
    count = f"{len(files):,} images of {folder}: {_listed(taken)}; left out: {_listed(left)}"
    return sorted(files), count


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _HIDDEN


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror}).") from error


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        where = f"a link to {os.readlink(path)}" if path.is_symlink() else "cannot be read"
        raise InputError(
            f"{path}: {where} ({error.strerror}). Mend it, or take it out of the folder."
        ) from error


def _listed(counts: collections.Counter) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in (+counts).most_common()) or "none"


def _read(
    files: list[Path], count: str, read: Callable[[Path], np.ndarray], seed: int
) -> np.ndarray:
    """uint8, or float32 from 0 to 1, [n, height, width, channels], shuffled."""
    progress.say(count)
    first = read(files[0])
    images = npz.aligned((len(files), *first.shape), first.dtype)
    for place, number in enumerate(np.random.RandomState(seed).permutation(len(files))):
        image = read(files[number])
        if image.shape != first.shape:
            raise InputError(
                f"{files[number]} has {image.shape[0]} x {image.shape[1]} pixels, {files[0]} "
                f"{first.shape[0]} x {first.shape[1]}; set image_folder.size to resize them."
            )
        if image.dtype != first.dtype:
            deep, flat = (files[number], files[0])[:: 1 if first.dtype == np.uint8 else -1]
            raise InputError(
                f"{deep} has more than 8 bits for each number and {flat} has 8; save all images alike."
            )
        images[place] = image
    if images.dtype != np.uint8:
        progress.say(
            f"they have more than 8 bits; values from {images.min():.4g} to {images.max():.4g}, "
            "where 0 is black and 1 is white"
        )
    images.flags.writeable = False
    return images
