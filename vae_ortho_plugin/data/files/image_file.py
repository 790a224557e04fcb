# SPDX-License-Identifier: Apache-2.0
"""One image file as an array of one or three channels, whatever modes Pillow has for it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vae_ortho_plugin.data.files.location import check_file
from vae_ortho_plugin.errors import InputError

# Pillow's modes of at most 8 bits a channel; those of LAB and of premultiplied colours are refused.
_BYTES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_TRANSPARENT = ("LA", "PA", "RGBA")


def read(
    file: Path, sides: tuple[int, int] | None, grey: bool, background: str | None
) -> np.ndarray:
    """The image, turned as its EXIF orientation says and blended on the background.

    Of the pictures of a MPO file (a camera's JPEG) the first one is the image, the others are previews.

    Args:
        file: of one image.
        sides: (height, width) to which it is resized; None for its own.
        grey: one channel instead of three.
        background: a colour as Pillow's ImageColor reads it; None where no pixel is transparent.

    Returns:
        [height, width, channels]; uint8, or of grey numbers of more than 8 bits, float32 from 0 to 1.

    Raises:
        InputError: the file is damaged, too large, has several pages, transparent pixels without a
            background, or numbers whose range is not known.
    """
    check_file(file)
    try:
        # A stream: of a name, Pillow 13 maps uncompressed TIFFs to memory and turns their rows wrong.
        with file.open("rb") as stream, Image.open(stream) as image:
            pages = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
            stored = str([tile[3] for tile in image.tile])  # Pillow's name of how the numbers lie
            white_is_zero = getattr(image, "tag_v2", {}).get(262) == 0
            kind, mode = image.format, image.mode
            colour_key = "transparency" in image.info
            if pages == 1:
                image = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{file}: too large ({error}). Make it smaller, or take it out of the folder."
        ) from error
    except Exception as error:  # Pillow's decoders raise errors of many kinds
        raise InputError(f"{file}: damaged, or not an image ({error}).") from error
    if pages > 1:
        raise InputError(f"{file}: has {pages} pages or frames; save each in a file of its own.")
    if colour_key and ";16" in stored:
        raise InputError(f"{file}: has a transparent colour of 16 bits; save it without one.")
    if mode in _BYTES + _TRANSPARENT:
        if colour_key or mode in _TRANSPARENT:
            image = image.convert("RGBA")
            if image.getextrema()[3][0] < 255:
                if background is None:
                    raise InputError(
                        f"{file}: has transparent pixels; name the colour behind them, as in "
                        "image_folder.background = 'white'."
                    )
                plain = Image.new("RGBA", image.size, background)
                image = Image.alpha_composite(plain, image)
        image = _resized(image.convert("L" if grey else "RGB"), sides)
        return np.array(image).reshape(*image.size[::-1], -1)
    if mode == "F":
        largest = 1
    elif mode.startswith("I;16") or (mode == "I" and kind in ("PNG", "PPM")):
        largest = 4095 if "I;12" in stored else 65535
    else:
        largest = None
    if largest is None or white_is_zero:
        raise InputError(
            f"{file}: Pillow's mode {mode}{', white as 0,' if white_is_zero else ''} has no range that is "
            "known to go from black to white. Save it with 8 or 16 bits, or as RGB."
        )
    values = np.array(image, np.float32) / np.float32(largest)
    if not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f"{file}: has values from {values.min()} to {values.max()}; floating-point numbers must lie "
            "between 0 (black) and 1 (white)."
        )
    # Lanczos resizing overshoots at edges; of bytes, Pillow cuts that off itself.
    values = np.clip(np.array(_resized(Image.fromarray(values), sides)), 0, 1)
    return np.repeat(values[..., np.newaxis], 1 if grey else 3, axis=-1)


def _resized(image: Image.Image, sides: tuple[int, int] | None) -> Image.Image:
    if sides is None or image.size == sides[::-1]:
        return image
    return image.resize(sides[::-1], Image.Resampling.LANCZOS)
