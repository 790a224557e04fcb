# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_render_dsprites: a stand-in for dSprites, for machines that cannot download it.

It has the layout, factors and order of the official file. The shapes are our own, so the pixels
differ.
"""

import argparse
import math
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.dsprites import FILE, SIZES, STAND_IN
from vae_ortho_plugin.data.location import VARIABLE, data_root
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import written_beside

SHAPE_NAMES = ("square", "ellipse", "heart")
_NAMES = ("color", "shape", "scale", "orientation", "posX", "posY")
_IMAGE = 64
# A sprite fits into half the image in every orientation; its position shifts it by up to 31 pixels.
_PATCH = _IMAGE // 2
_SAMPLES = 8


def render_sprite(shape: str, scale: float, angle: float) -> np.ndarray:
    """A binary sprite, uint8 [32, 32], anti-aliased with 8 x 8 samples a pixel, then thresholded.

    Args:
        shape: one of SHAPE_NAMES; each covers about 400 pixels at scale 1.
        scale: from 0.5 to 1.
        angle: in radians, clockwise on the screen.
    """
    x = (np.arange(_PATCH * _SAMPLES) + 0.5) / _SAMPLES - _PATCH / 2
    x, y = np.meshgrid(x, x)
    u = (np.cos(angle) * x + np.sin(angle) * y) / scale
    v = (np.cos(angle) * y - np.sin(angle) * x) / scale
    if shape == "square":
        inside = np.maximum(np.abs(u), np.abs(v)) <= 10
    elif shape == "ellipse":
        inside = (u / 14) ** 2 + (v / 9) ** 2 <= 1
    else:
        u, v = u / 10.4, -v / 10.4
        inside = (u**2 + v**2 - 1) ** 3 <= u**2 * v**3
    coverage = inside.reshape(_PATCH, _SAMPLES, _PATCH, _SAMPLES).mean(axis=(1, 3))
    return (coverage >= 0.5).astype(np.uint8)


def factor_values(sizes: tuple[int, ...] = SIZES) -> list[np.ndarray]:
    """The values of the six factors on a grid of these sizes, as in the official metadata."""
    colors, shapes, scales, orientations, xs, ys = sizes
    return [
        np.arange(1.0, colors + 1),
        np.arange(1.0, shapes + 1),
        np.linspace(0.5, 1, scales),
        np.linspace(0, 2 * np.pi, orientations),
        np.linspace(0, 1, xs),
        np.linspace(0, 1, ys),
    ]


def render(path: Path, sizes: tuple[int, ...] = SIZES) -> None:
    """Writes the npz file `path`, rendering and compressing one sprite after the other.

    Args:
        path: of the file.
        sizes: 1 colour, at most 3 shapes, and the numbers of scales, orientations, x and y.
    """
    values = factor_values(sizes)
    arrays = {
        "latents_classes": np.indices(sizes).reshape(len(sizes), -1).T.copy(),
        "latents_values": np.stack(np.meshgrid(*values, indexing="ij"), -1).reshape(-1, len(sizes)),
        "metadata": np.array(
            {
                "title": f"dSprites ({STAND_IN})",
                "description": "Same factors and order as dSprites, shapes rendered anew.",
                "latents_names": _NAMES,
                "latents_sizes": np.array(sizes),
                "latents_possible_values": dict(zip(_NAMES, values, strict=True)),
                "author": "vae_ortho_render_dsprites",
                "version": 1,
            }
        ),
    }
    with (
        written_beside(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.comment = f"{STAND_IN} of dSprites by vae_ortho_render_dsprites".encode()
        with archive.open("imgs.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False}
            header["shape"] = (math.prod(sizes), _IMAGE, _IMAGE)
            np.lib.format.write_array_header_1_0(file, header)
            for images in _images(values):
                file.write(images)
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.lib.format.write_array(file, array)


def _images(values: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields for each sprite in order the images at all positions, uint8 [x, y, 64, 64]."""
    _, shapes, scales, orientations, *positions = values
    lefts, tops = (np.rint(p * (_PATCH - 1)).astype(int) for p in positions)
    for shape in SHAPE_NAMES[: len(shapes)]:
        print(f"Rendering the images of shape {shape} ...", file=sys.stderr, flush=True)
        for scale in scales:
            for angle in orientations:
                sprite = render_sprite(shape, scale, angle)
                images = np.zeros((len(lefts), len(tops), _IMAGE, _IMAGE), np.uint8)
                for i, left in enumerate(lefts):
                    for j, top in enumerate(tops):
                        images[i, j, top : top + _PATCH, left : left + _PATCH] = sprite
                yield images


def main(argv: list[str] | None = None) -> int:
    """Entry point of vae_ortho_render_dsprites; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="vae_ortho_render_dsprites",
        description="Renders a stand-in for dSprites at the place where dlib looks for dSprites. "
        "It has the same factors, order and file layout, and our own shapes. Results made from it "
        "say so.",
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
    path = data_root(arguments.root) / FILE
    try:
        if min(arguments.grid) < 1 or arguments.grid[0] > len(SHAPE_NAMES):
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
    print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB), a {STAND_IN} of dSprites.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
