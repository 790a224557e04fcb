# SPDX-License-Identifier: Apache-2.0
"""What the tests of interrupted training runs share."""

import functools
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from engine_support import assert_same, train, variables
from training_fixtures import fresh_gin  # noqa: F401

from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph
from vae_ortho_plugin.files.gin_files import gin_config

SMALL = [
    "synth_linear.num_points = 1000",
    "model.training_steps = 60",
    "model.eval_steps = 1",
    "training_loop.xla = 'off'",
    "training_loop.iterations_per_loop = 5",
    "training_loop.checkpoint_steps = 10",
]


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
    """Within: an error ends the training run once it has trained on this number of batches."""
    call = TrainingGraph.call_session

    def call_session(graph, *arguments):
        result = call(graph, *arguments)
        if graph.batches >= batches:
            raise Broken
        return result

    return mock.patch.object(TrainingGraph, "call_session", call_session)


_unfinished: list[Path] = []


@pytest.fixture
def broken(tmp_path, tmp_path_factory):
    """A directory whose training run was ended by an error after 45 of 60 steps."""
    if not _unfinished:
        made = tmp_path_factory.mktemp("broken") / "model"
        with broken_after(45), pytest.raises(Broken):
            train_small(made)
        _unfinished.append(made.with_name("model.unfinished"))
    shutil.copytree(_unfinished[0], tmp_path / "model.unfinished")
    return tmp_path / "model"


def checkpoints(directory):
    found = directory.with_name("model.unfinished") / "checkpoints"
    return sorted(int(path.name) for path in found.glob("*"))


@functools.cache
def uninterrupted():
    with tempfile.TemporaryDirectory() as directory:
        train_small(Path(directory, "model"))
        return variables(Path(directory, "model/tf_checkpoint"))


def assert_as_if_uninterrupted(directory):
    assert_same(variables(directory / "tf_checkpoint"), uninterrupted())
