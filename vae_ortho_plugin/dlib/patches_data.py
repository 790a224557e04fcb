# SPDX-License-Identifier: Apache-2.0
"""Makes dlib's data sets load on current Pillow and NumPy, once per process and as bytes.

The classes stay dlib's; each `__init__` is replaced by one that sets the same attributes.
"""

import types

from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.location import dlib_path


def _dsprites(module: types.ModuleType) -> None:
    module.DSprites.__init__ = dsprites.initialize
    module.ScreamDSprites.__init__ = dsprites.initialize_scream
    dlib_path(module, "DSPRITES_PATH", dsprites.FILE)
    dlib_path(module, "SCREAM_PATH", dsprites.SCREAM_FILE)


def _cars3d(module: types.ModuleType) -> None:
    module.Cars3D.__init__ = cars3d.initialize
    dlib_path(module, "CARS3D_PATH", cars3d.FOLDER)


def _norb(module: types.ModuleType) -> None:
    module.SmallNORB.__init__ = smallnorb.initialize
    dlib_path(module, "SMALLNORB_TEMPLATE", smallnorb.TEMPLATE)


def _shapes3d(module: types.ModuleType) -> None:
    module.Shapes3D.__init__ = shapes3d.initialize
    dlib_path(module, "SHAPES3D_PATH", shapes3d.NPZ_FILE)


def _mpi3d(module: types.ModuleType) -> None:
    module.MPI3D.__init__ = mpi3d.initialize


PATCHES = {
    "dsprites": _dsprites,
    "cars3d": _cars3d,
    "norb": _norb,
    "shapes3d": _shapes3d,
    "mpi3d": _mpi3d,
}
