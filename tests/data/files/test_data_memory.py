# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys

import data_files
import numpy as np
import pytest
import sparse_files
from data_of_dlib_support import PICTURES
from disentanglement_lib.data.ground_truth import named_data

from vae_ortho_plugin.data import shapes3d
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.data.sampling import resident


@pytest.mark.long
@pytest.mark.parametrize("name", ["cars3d", "smallnorb"])
def test_files_of_the_published_size_have_every_factor_in_its_place(name, tmp_path, monkeypatch):
    module, shown = PICTURES[name]
    write = {"cars3d": data_files.write_cars3d, "smallnorb": data_files.write_smallnorb}[name]
    # The format allows smaller images than the published ones.
    write(tmp_path, side=64)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    data = named_data.get_named_ground_truth_data(name)
    factors, observations = data.sample(2000, np.random.RandomState(0))
    for column, k in enumerate(shown):
        row, column_of_pixel = data_files.bar(k)
        expected = data_files.brightness(factors[:, column], module.SIZES[k]) / 255
        np.testing.assert_allclose(observations[:, row, column_of_pixel, 0], expected, atol=1e-6)


TRAIN_ON_SHAPES3D = """
import resource, sys
import vae_ortho_plugin
from disentanglement_lib.methods.unsupervised import train
from vae_ortho_plugin.files.gin_files import gin_config
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
bindings = [
    "dataset.name = 'shapes3d'",
    "model.training_steps = 50",
    "model.eval_steps = 2",
    "mlp_encoder.layers = [10]",
    "mlp_decoder.layers = [10]",
]
train.train_with_gin(sys.argv[1], False, [str(gin_config("beta_vae.gin"))], bindings)
print(peak() - before)
"""


@pytest.mark.long
@pytest.mark.skipif((resident._room() or 0) < 9e9, reason="needs 9 GB of available memory")
def test_training_on_shapes3d_needs_little_more_memory_than_its_bytes(tmp_path):
    labels = data_files.shapes3d_labels()
    shape = (len(labels), 64, 64, 3)
    sparse_files.write_h5(tmp_path / shapes3d.FILE, shape, labels)
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_ON_SHAPES3D, str(tmp_path / "model")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, VARIABLE: str(tmp_path)},
    )
    assert int(done.stdout.split()[-1]) < 1.3 * np.prod(shape)
