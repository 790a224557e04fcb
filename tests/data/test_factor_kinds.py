# SPDX-License-Identifier: Apache-2.0

import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import (
    cars3d,
    dsprites,
    dummy_data,
    mpi3d,
    norb,
    shapes3d,
)

# isort: split

from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds


def data_of(cls, indices=None):
    """An instance of a dlib data set without its files."""
    data = cls.__new__(cls)
    if indices is not None:
        data.latent_factor_indices = indices
        sizes = getattr(data, "factor_sizes", [2] * 8)
        data.state_space = cars3d.util.SplitDiscreteStateSpace(sizes, indices)
    return data


@pytest.mark.parametrize(
    ("cls", "indices", "categorical", "continuous"),
    [
        (dsprites.DSprites, [1, 2, 3, 4, 5], ["shape"], 4),
        (dsprites.DSprites, [2, 3, 4, 5], [], 4),
        (dsprites.ColorDSprites, [1, 2, 3, 4, 5], ["shape"], 4),
        (dsprites.NoisyDSprites, [0, 1, 2, 3, 4, 5], ["color", "shape"], 4),
        (dsprites.ScreamDSprites, [1, 5], ["shape"], 1),
        (dsprites.AbstractDSprites, [1, 2, 4, 5], ["object color", "shape"], 4),
        (norb.SmallNORB, [0, 2, 3, 4], ["category", "lighting"], 2),
        (cars3d.Cars3D, [0, 1, 2], ["object type"], 2),
        (shapes3d.Shapes3D, list(range(6)), ["object type"], 5),
        (mpi3d.MPI3D, list(range(7)), ["object color", "object shape", "background color"], 4),
        (dummy_data.DummyData, None, [], 10),
        (dummy_data.IdentityObservationsData, None, [], 10),
    ],
)
def test_kinds_of_dlib_factors_are_known(cls, indices, categorical, continuous):
    data = data_of(cls, indices)
    kinds = named_kinds(data)
    assert len(kinds) == data.num_factors
    assert [name for name, kind in kinds.items() if kind == "categorical"] == categorical
    assert list(kinds.values()).count("continuous") == continuous


def test_names_follow_the_factors_that_a_data_set_shows():
    names = list(named_kinds(data_of(dsprites.DSprites, [2, 3, 4, 5])))
    assert names == ["scale", "orientation", "position x", "position y"]
    names = list(named_kinds(data_of(norb.SmallNORB, [0, 2, 3, 4])))
    assert names == ["category", "elevation", "azimuth", "lighting"]
