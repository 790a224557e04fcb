# SPDX-License-Identifier: Apache-2.0
"""Data or code that change between the steps of a model."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from disentanglement_lib.postprocessing import postprocess
from resume_support import Broken, broken_after, checkpoints, fresh_gin, train_small  # noqa: F401

from vae_ortho_plugin.data.files import read_files
from vae_ortho_plugin.dlib.steps import made_of, training_directory
from vae_ortho_plugin.engine.checkpoints import CannotContinue
from vae_ortho_plugin.files.gin_files import gin_config

ENCODER = """
import gin
import tensorflow.compat.v1 as tf
@gin.configurable(denylist=["input_tensor", "num_latent", "is_training"])
def changed_encoder(input_tensor, num_latent, is_training=True):
    hidden = tf.layers.dense(tf.layers.flatten(input_tensor), 16, activation=tf.nn.tanh)
    return tf.layers.dense(hidden, num_latent), tf.layers.dense(hidden, num_latent)
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The file of the user's module, which is imported once, since gin registers an encoder once."""
    yield tmp_path_factory.mktemp("modules") / "own_encoder_of_a_test.py"
    sys.modules.pop("own_encoder_of_a_test", None)


@pytest.fixture
def own(module, tmp_path, monkeypatch):
    """Trains a user's encoder on a user's npz file."""
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.chdir(tmp_path)
    module.write_text(ENCODER)
    save_points(500)
    return lambda **options: train_small(
        tmp_path / "model",
        "import own_encoder_of_a_test",
        "encoder.encoder_fn = @changed_encoder",
        "dataset.name = 'npz'",
        "npz.path = 'mine.npz'",
        **options,
    )


def save_points(number, seed=0):
    np.savez("mine.npz", z=np.random.RandomState(seed).random_sample((number, 6)))


def interrupt(own):
    with broken_after(45), pytest.raises(Broken):
        own()


def test_changed_data_and_modules_are_refused_and_named_and_overwrite_starts_over(
    own, module, tmp_path, capsys
):
    interrupt(own)
    before = Path("mine.npz").stat().st_size
    save_points(50)
    now = Path("mine.npz").stat().st_size
    module.write_text(ENCODER.replace("tanh", "relu"))
    capsys.readouterr()
    with pytest.raises(CannotContinue) as error:
        own()
    message = str(error.value)
    assert re.search(rf"the data are {before:,} bytes .* there, {now:,} bytes .* now", message)
    assert "the module own_encoder_of_a_test" in message and "--overwrite" in message
    assert "To continue" not in capsys.readouterr().err
    assert checkpoints(tmp_path / "model") == [30, 40]
    own(overwrite=True)
    assert "this one starts at step 0" in capsys.readouterr().err
    assert not (tmp_path / "model.unfinished").exists()


def test_data_of_the_same_size_are_told_apart_and_a_later_step_warns(own, tmp_path, capsys):
    interrupt(own)
    save_points(500, seed=1)
    with pytest.raises(CannotContinue, match=r"the content of \S+mine.npz has been changed"):
        own()
    save_points(500)  # with another time
    own()
    printed = capsys.readouterr().err
    assert "continuing from step 40" in printed and "warning" not in printed
    save_points(500, seed=1)
    mean = [str(gin_config("postprocess/mean.gin"))]
    postprocess.postprocess_with_gin(
        str(tmp_path / "model"), str(tmp_path / "mean"), False, mean, ["dataset.name = 'auto'"]
    )
    assert "was made of other data or code: the content of" in capsys.readouterr().err


def test_a_training_run_of_a_version_without_a_description_is_continued_and_described(tmp_path):
    now = {"data": {}, "modules": {}}
    training_directory._check_made_of(tmp_path, now)
    assert made_of.read(tmp_path) == now


def test_a_data_set_without_files_is_told_apart_by_what_it_draws():
    class Drawn:
        observation_shape, factors_num_values = (3,), (2,)

        def __init__(self, scale):
            self.scale = scale

        def sample_observations(self, number, random_state):
            return self.scale * random_state.random_sample((number, 3))

    def differences(one, other):
        described = [{"data": made_of._data(data, []), "modules": {}} for data in (one, other)]
        return made_of.differences(*described)

    assert differences(Drawn(1.0), Drawn(1 + 1e-7)) == []  # as on another machine
    assert differences(Drawn(1.0), Drawn(2.0)) == ["the data set draws other observations"]


def test_a_change_in_a_large_file_is_seen_at_its_ends_and_in_its_size(tmp_path):
    path = tmp_path / "large"
    found = []
    for size, last in ((70 << 20, b"a"), (70 << 20, b"b"), (71 << 20, b"b")):
        with open(path, "wb") as file:
            file.truncate(size)
            file.seek(size - 1)
            file.write(last)
        found.append(read_files.summary([path])["sha256"])
    assert len(set(found)) == 3


def test_files_in_another_folder_are_the_same_files(tmp_path):
    summaries = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            (tmp_path / folder / name).write_text(name)
        summaries.append(read_files.summary((tmp_path / folder).iterdir()))
    assert summaries[0] | {"place": ""} == summaries[1] | {"place": ""}
