# SPDX-License-Identifier: Apache-2.0
"""What test_data_of_dlib and test_data_memory share."""

from vae_ortho_plugin.data import (
    cars3d,
    mpi3d,
    shapes3d,
    smallnorb,
)

# Data set: the loader's module, and which of its factors dlib shows.
PICTURES = {
    "cars3d": (cars3d, (0, 1, 2)),
    "smallnorb": (smallnorb, (0, 2, 3, 4)),
    "shapes3d": (shapes3d, tuple(range(6))),
    "mpi3d_toy": (mpi3d, tuple(range(7))),
    "mpi3d_realistic": (mpi3d, tuple(range(7))),
    "mpi3d_real": (mpi3d, tuple(range(7))),
}
