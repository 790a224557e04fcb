# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_render_dsprites: draws dSprites, for machines that cannot download it.

The published images were drawn by a graphics card. This module draws the same images by two facts,
found from the images of the animation in the data set's public repository:

- the shapes are polygons (`OUTLINES`), scaled, turned counter-clockwise and moved to
  16 + 32 position, in float64;
- their corners are rounded to 1/256 of a pixel, as graphics cards do. A pixel is white where its
  centre lies inside the polygon; a centre on an upper or left edge lies inside.

The 240 images that were compared are equal. All 737,280 images have 28 white pixels more than the
published 128,328,862 (one in 4.6 million).
"""

import argparse
import itertools
import math
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.dsprites import FILE, RENDERED, SIZES
from vae_ortho_plugin.data.files.location import VARIABLE, data_root
from vae_ortho_plugin.data.stored_images import grid
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams, written_beside

_NAMES = ("color", "shape", "scale", "orientation", "posX", "posY")
_IMAGE = 64
# Corners are whole numbers of this part of a pixel.
_UNITS = 256


def _outlines() -> dict[str, np.ndarray]:
    t = 2 * np.pi * np.arange(64) / 64
    ellipse = np.stack([12.78 * np.cos(t), 7.2206 * np.sin(t)], axis=1)
    t = 2 * np.pi * np.arange(150) / 150
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    heart = np.stack([9.6 * np.sin(t) ** 3, -0.66212 * y - 1.44], axis=1)
    square = 9.59855 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return {"square": square, "ellipse": ellipse, "heart": heart}


# Corners [corners, (x, y)] at scale 1 and orientation 0, in pixels from the centre, y downwards;
# in the order of the factor's values. Their sizes are fitted to the 240 images and, in the last
# digits, to the number of white pixels.
OUTLINES = _outlines()


def sprite_images(
    shape: str, scale: float, orientation: float, xs: np.ndarray, ys: np.ndarray
) -> np.ndarray:
    """The images of one sprite at all positions, uint8 [len(xs), len(ys), 64, 64] of 0 and 1.

    Args:
        shape: a key of OUTLINES.
        scale: from 0.5 to 1.
        orientation: in radians, counter-clockwise on the screen.
        xs, ys: positions from left to right and from top to bottom, from 0 to 1.
    """
    cos, sin = math.cos(orientation), math.sin(orientation)
    x, y = (scale * OUTLINES[shape] @ np.array([[cos, -sin], [sin, cos]])).T
    # Corners [positions, corners] in units of 1/256 pixel; edges go to the next corner.
    x0, y0 = (
        np.rint(_UNITS * (offsets + (16 + 32 * position[:, np.newaxis]))).astype(np.int64)
        for offsets, position in ((x, xs), (y, ys))
    )
    x1, y1 = np.roll(x0, -1, axis=1), np.roll(y0, -1, axis=1)
    centre = _UNITS * np.arange(_IMAGE)[:, np.newaxis] + _UNITS // 2
    above = y0[:, np.newaxis] <= centre
    crossed = above != (y1[:, np.newaxis] <= centre)
    position, row, edge = np.nonzero(crossed)
    # The first column whose centre is not left of the crossing of edge and row, in whole numbers.
    height = (y1 - y0)[position, edge]
    distance = centre[row, 0] - y0[position, edge]
    numerator = (x0[:, edge] - _UNITS // 2) * height + distance * (x1 - x0)[:, edge]
    column = np.clip(-(-numerator // (_UNITS * height)), 0, _IMAGE)
    # A row is white from each odd crossing to the next even one.
    images = np.zeros((len(xs), len(ys), _IMAGE, _IMAGE + 1), np.uint8)
    which = np.arange(len(xs))[:, np.newaxis]
    np.bitwise_xor.at(images, (which, position, row, column), 1)
    return np.bitwise_xor.accumulate(images, axis=-1)[..., :_IMAGE]


def factor_values(sizes: tuple[int, ...] = SIZES) -> list[np.ndarray]:
    """The values of the six factors on a grid of these sizes, as in the official metadata."""
    ends = ((1, sizes[0]), (1, sizes[1]), (0.5, 1), (0, 2 * np.pi), (0, 1), (0, 1))
    return [np.linspace(*two, size) for two, size in zip(ends, sizes, strict=True)]


def render(path: Path, sizes: tuple[int, ...] = SIZES) -> None:
    """Writes the npz file `path`, rendering and compressing one sprite after the other.

    `sizes` are 1 colour, at most 3 shapes, and the numbers of scales, orientations, x and y.
    """
    values = factor_values(sizes)
    arrays = {
        "latents_classes": grid(sizes).copy(),
        "latents_values": np.stack(np.meshgrid(*values, indexing="ij"), -1).reshape(-1, len(sizes)),
    }
    metadata = {
        "title": f"dSprites ({RENDERED})",
        "description": "The images, factors and order of dSprites, drawn anew.",
        "latents_names": _NAMES,
        "latents_sizes": np.array(sizes),
        "latents_possible_values": dict(zip(_NAMES, values, strict=True)),
        "author": "vae_ortho_render_dsprites",
        "date": "",
        "version": 1,
    }
    with (
        written_beside(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.comment = RENDERED.encode()
        with archive.open("imgs.npy", "w", force_zip64=True) as file:
            _write_header(file, "|u1", (math.prod(sizes), _IMAGE, _IMAGE))
            _, shapes, scales, orientations, *positions = values
            for shape in list(OUTLINES)[: len(shapes)]:
                print(f"Rendering the images of shape {shape} ...", file=sys.stderr, flush=True)
                for scale, orientation in itertools.product(scales, orientations):
                    images = sprite_images(shape, scale, orientation, *positions)
                    file.write(np.ascontiguousarray(images))
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.lib.format.write_array(file, array)
        with archive.open("metadata.npy", "w") as file:
            _write_header(file, "|O", ())
            pickled = pickle.dumps(np.array(metadata), protocol=2)
            # NumPy 1 and 2 have a module of this name.
            file.write(pickled.replace(b"cnumpy._core.", b"cnumpy.core."))


def _write_header(file, descr: str, shape: tuple[int, ...]) -> None:
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def main(argv: list[str] | None = None) -> int:
    """Entry point of vae_ortho_render_dsprites; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="vae_ortho_render_dsprites",
        description="Draws dSprites at the place where dlib looks for it, with the factors, order "
        "and file layout of the published file. Results made from it say that it is rendered.",
    )
    parser.add_argument(
        "--root", help=f"directory that holds the data sets (default: ${VARIABLE}, else .)"
    )
    parser.add_argument(
        "--grid",
        nargs=5,
        type=int,
        default=SIZES[1:],
        metavar=("SHAPES", "SCALES", "ORIENTATIONS", "X", "Y"),
        help="numbers of values of the factors (default: 3 6 40 32 32)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    arguments = parser.parse_args(argv)
    streams.drop_what_cannot_be_written("stdout", "stderr")
    path = data_root(arguments.root) / FILE
    try:
        if min(arguments.grid) < 1 or arguments.grid[0] > len(OUTLINES):
            raise InputError(
                f"--grid {' '.join(map(str, arguments.grid))}: expected 1 to 3 shapes, and at "
                "least 1 of everything else."
            )
        if path.exists() and not arguments.overwrite:
            raise InputError(f"{path} exists; --overwrite replaces it.")
        render(path, (1, *arguments.grid))
    except (InputError, OSError) as error:
        print(f"vae_ortho_render_dsprites: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB): dSprites, {RENDERED}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
