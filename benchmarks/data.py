# SPDX-License-Identifier: Apache-2.0
"""The data that the benchmarks need, made in the scratch directory: nothing is downloaded.

dSprites is the rendered stand-in at its full size. MNIST has random bytes: no operation's time depends on them.
Shapes3D and MPI3D have black images that take no space.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import sparse_files
from benchmarks.framework import Settings


def data_root(settings: Settings, data_set: str) -> Path:
    """Makes `data_set` unless it is there, and the directory the one in which dlib looks for data.

    To be called before dlib is imported, which reads that variable then. Synthetic data need nothing.
    """
    root = settings.scratch / "data"
    os.environ["DISENTANGLEMENT_LIB_DATA"] = str(root)
    if data_set == "dsprites_full":
        _make_dsprites(root)
    elif data_set == "mnist":
        _make_mnist(root)
    elif data_set == "shapes3d":
        _make_shapes3d(root)
    elif data_set == "mpi3d_toy":
        _make_mpi3d(root)
    return root


def _make_dsprites(root: Path) -> None:
    if not list(root.glob("dsprites/*.npz")):
        command = [sys.executable, "-m", "vae_ortho_plugin.data.render_dsprites", f"--root={root}"]
        subprocess.run(command, check=True, stdout=sys.stderr)


def _make_mnist(root: Path) -> None:
    from vae_ortho_plugin.data.mnist_files import SHAPES

    (root / "mnist").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        path = root / "mnist" / name
        if path.exists():
            continue
        header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        part = path.with_suffix(".part")
        part.write_bytes(header + random.bytes(int(np.prod(shape))))
        part.rename(path)


def _make_shapes3d(root: Path) -> None:
    from vae_ortho_plugin.data.shapes3d import FILE, SIZES

    if not (root / FILE).exists():
        values = np.indices(SIZES).reshape(len(SIZES), -1).T
        sparse_files.write_h5(root / FILE, (len(values), 64, 64, 3), values.astype(float))


def _make_mpi3d(root: Path) -> None:
    from vae_ortho_plugin.data.mpi3d import SIZES, file_of

    path = root / file_of("mpi3d_toy")
    if not path.exists():
        shape = (int(np.prod(SIZES)), 64, 64, 3)
        sparse_files.write_npz(path, "images", shape, bytes(64 * 64 * 3))
