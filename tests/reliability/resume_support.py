# SPDX-License-Identifier: Apache-2.0
"""What the tests of interrupted trainings share."""

from unittest import mock

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train

# isort: split
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine.training_graph import TrainingGraph
from vae_ortho_plugin.files.gin_files import gin_config

SMALL = [
    "synth_linear.num_points = 1000",
    "model.training_steps = 60",
    "model.eval_steps = 1",
    "training_loop.xla = 'off'",
    "training_loop.iterations_per_loop = 5",
    "training_loop.checkpoint_steps = 10",
]


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


def train_small(directory, *bindings, overwrite=False):
    train.train_with_gin(
        directory and str(directory),
        overwrite,
        [str(gin_config("beta_vae.gin"))],
        [*SMALL, *bindings],
    )


class Broken(Exception):
    pass


def broken_after(batches):
    """Within: an error ends the training once it has trained on this number of batches."""
    call = TrainingGraph.call_session

    def call_session(graph, *arguments):
        result = call(graph, *arguments)
        if graph.batches >= batches:
            raise Broken
        return result

    return mock.patch.object(TrainingGraph, "call_session", call_session)


@pytest.fixture
def broken(tmp_path):
    """A directory whose training was ended by an error after 45 of 60 steps."""
    with broken_after(45), pytest.raises(Broken):
        train_small(tmp_path / "model")
    return tmp_path / "model"


def checkpoints(directory):
    found = directory.with_name("model.unfinished") / "checkpoints"
    return sorted(int(path.name) for path in found.glob("*"))


def variables(directory):
    reader = tf.train.load_checkpoint(str(directory / "tf_checkpoint"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_as_if_uninterrupted(directory):
    train_small(directory.with_name("alone"))
    expected = variables(directory.with_name("alone"))
    for name, value in variables(directory).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
