# SPDX-License-Identifier: Apache-2.0
"""What the tests of dlib's data sets share: their names, and synthetic files in the published formats."""

import data_files
import pytest

from vae_ortho_plugin.data import cars3d, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.files import read_files
from vae_ortho_plugin.data.files.location import VARIABLE

# Data set: the loader's module, and which of its factors dlib shows.
PICTURES = {
    "cars3d": (cars3d, (0, 1, 2)),
    "smallnorb": (smallnorb, (0, 2, 3, 4)),
    "shapes3d": (shapes3d, tuple(range(6))),
    "mpi3d_toy": (mpi3d, tuple(range(7))),
    "mpi3d_realistic": (mpi3d, tuple(range(7))),
    "mpi3d_real": (mpi3d, tuple(range(7))),
}

SPRITES = ("color_dsprites", "dsprites_full", "dsprites_noshape", "noisy_dsprites")
NAMES = sorted([*SPRITES, "scream_dsprites", *PICTURES])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        small_sizes(patch)
        data_files.write_all(root)
    return root


def small_sizes(patch):
    for module, sizes in data_files.SMALL.items():
        patch.setattr(module, "SIZES", sizes)
    patch.setattr(mpi3d, "SIZES_2019", data_files.MPI3D_2019)


def use_root(patch, root):
    """Makes the directory the data root, of small data sets, as in a process that has read none of them."""
    small_sizes(patch)
    patch.setenv(VARIABLE, str(root))
    read_files._large.clear()


@pytest.fixture
def root(files, monkeypatch):
    """The data root, with files of every data set; it was set after the import of dlib."""
    use_root(monkeypatch, files)
    yield files
    read_files._large.clear()
