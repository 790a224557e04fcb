# SPDX-License-Identifier: Apache-2.0
"""Synthetic files of dlib's data sets in their published formats.

Every image has one bar per factor, whose brightness is the factor's class: `bar` says where.
"""

import struct

import h5py
import numpy as np
import scipy.io
from PIL import Image

from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, render_dsprites, shapes3d, smallnorb
from vae_ortho_plugin.data.stored_images import grid

# Numbers of values of the factors, patched into the loaders of the sets that have more.
SMALL = {
    cars3d: (2, 3, 4),
    smallnorb: (2, 4, 3, 2, 2),
    shapes3d: (2, 2, 3, 2, 2, 3),
    mpi3d: (3, 2, 2, 2, 2, 2, 3),
}
MPI3D_2019 = (2, 1, 2, 2, 2, 2, 3)
DSPRITES = (1, 3, 2, 2, 3, 2)
MPI3D = ("mpi3d_toy", "mpi3d_realistic", "mpi3d_real")


def idx_bytes(array):
    """The content of an IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def brightness(classes, size):
    """Brightness 40 ... 240 of a class number."""
    return 40 + np.asarray(classes) * 200 // max(1, size - 1)


def bar(factor, side=64):
    """A pixel in the middle of a factor's bar, in an image of this side."""
    return factor * side // 8 + side // 16, side // 4


def images(classes, sizes, side, channels=3):
    """uint8 [n, side, side, channels] of class numbers [n, factors]."""
    result = np.zeros((len(classes), side, side, channels), np.uint8)
    for k, size in enumerate(sizes):
        rows = slice(k * side // 8, (k + 1) * side // 8)
        values = brightness(classes[:, k], size).astype(np.uint8)
        result[:, rows, : side // 2] = values[:, None, None, None]
    return result


def write_cars3d(root, side=128):
    elevations, azimuths, cars = cars3d.SIZES
    (root / "cars").mkdir(parents=True)
    for car in range(cars):
        classes = grid((elevations, azimuths))
        classes = np.column_stack([classes, np.full(len(classes), car)])
        views = images(classes, cars3d.SIZES, side).reshape(elevations, azimuths, side, side, 3)
        path = root / "cars" / f"car_{car:03d}_mesh.mat"
        scipy.io.savemat(path, {"im": views.transpose(2, 3, 4, 1, 0)}, do_compression=True)


def write_smallnorb(root, side=96):
    (root / "small_norb").mkdir(parents=True)
    classes = grid(smallnorb.SIZES)
    half = smallnorb.SIZES[1] // 2
    parts = (classes[:, 1] >= half, classes[:, 1] < half)
    for chunk, part in zip(smallnorb.CHUNKS, parts, strict=True):
        chosen = classes[part][::-1]
        left = images(chosen, smallnorb.SIZES, side, 1)[..., 0]
        pairs = np.stack([left, np.full_like(left, 255)], axis=1)
        info = chosen[:, 1:].copy()
        info[:, 2] *= 2
        for kind, magic, array in (
            ("dat", 0x1E3D4C55, pairs),
            ("cat", 0x1E3D4C54, chosen[:, 0].astype("<i4")),
            ("info", 0x1E3D4C54, info.astype("<i4")),
        ):
            sizes = array.shape + (1,) * (3 - array.ndim)
            header = struct.pack(f"<{2 + len(sizes)}i", magic, array.ndim, *sizes)
            path = root / str(smallnorb.TEMPLATE).format(chunk, kind)
            path.write_bytes(header + array.tobytes())


def shapes3d_labels():
    """Factor values as in 3dshapes.h5, float64 [n, 6]."""
    ranges = ((0, 0.9), (0, 0.9), (0, 0.9), (0.75, 1.25), (0, 3), (-30, 30))
    values = [np.linspace(*r, size) for r, size in zip(ranges, shapes3d.SIZES, strict=True)]
    return np.stack(np.meshgrid(*values, indexing="ij"), -1).reshape(-1, 6)


def write_shapes3d(root):
    (root / "3dshapes").mkdir(parents=True)
    pictures = images(grid(shapes3d.SIZES), shapes3d.SIZES, 64)
    with h5py.File(root / shapes3d.FILE, "w") as file:
        chunks = (max(1, len(pictures) // 3), 16, 16, 3)
        file.create_dataset("images", data=pictures, chunks=chunks, compression="gzip")
        file.create_dataset("labels", data=shapes3d_labels())


def write_shapes3d_npz(root, save=np.savez_compressed):
    (root / "3dshapes").mkdir(parents=True, exist_ok=True)
    pictures = images(grid(shapes3d.SIZES), shapes3d.SIZES, 64)
    labels = shapes3d_labels().reshape(*shapes3d.SIZES, 6)
    pictures = pictures.reshape(*shapes3d.SIZES, 64, 64, 3)
    save(root / shapes3d.NPZ_FILE, images=pictures, labels=labels)


def write_mpi3d(root, mode, sizes=None, save=np.savez):
    (root / mode).mkdir(parents=True)
    sizes = sizes or mpi3d.SIZES
    save(root / mpi3d.file_of(mode), images=images(grid(sizes), sizes, 64))


def write_scream(root):
    (root / "scream").mkdir(parents=True)
    Image.new("RGB", (400, 500), (200, 100, 50)).save(root / dsprites.SCREAM_FILE, quality=100)


def write_all(root):
    """Files of every data set, in the small sizes that the caller has patched in."""
    render_dsprites.render(root / dsprites.FILE, DSPRITES)
    write_scream(root)
    write_cars3d(root)
    write_smallnorb(root)
    write_shapes3d(root)
    for mode in MPI3D:
        write_mpi3d(root, mode)
