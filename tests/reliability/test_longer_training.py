# SPDX-License-Identifier: Apache-2.0
"""A finished model that is trained for more steps: training_loop.continue_from."""

import json
import shutil
from unittest import mock

import numpy as np
import pytest
from engine_support import assert_same, variables
from resume_support import (  # noqa: F401
    Broken,
    assert_as_if_uninterrupted,
    broken_after,
    checkpoints,
    fresh_gin,
    train_small,
)

from vae_ortho_plugin.dlib.steps import longer_training
from vae_ortho_plugin.engine.checkpoints import CannotContinue
from vae_ortho_plugin.errors import InputError

# The shorter training run ends between two measurements of each tracker but the second.
TRACKED = [
    "dto_while_training.every = 25",
    "ima_contrast_while_training.every = 20",
    "polarized_regime.every = 15",
    "model.training_steps = %steps",
]


def results(directory):
    found = json.loads((directory / "results/json/train_results.json").read_text())
    return {name: value for name, value in found.items() if name not in ("uuid", "elapsed_time")}


_finished = []


@pytest.fixture
def short(tmp_path, tmp_path_factory, fresh_gin):
    """A finished model of 40 steps."""
    if not _finished:
        _finished.append(tmp_path_factory.mktemp("finished") / "short")
        train_small(_finished[0], *TRACKED, "steps = 40")
    return shutil.copytree(_finished[0], tmp_path / "short")


def longer(short, *bindings, to="model"):
    source = f"training_loop.continue_from = '{short}'"
    train_small(short.with_name(to), *TRACKED, "steps = 60", source, *bindings)


def test_a_longer_training_run_equals_an_uninterrupted_one(short, tmp_path, capsys):
    before = variables(short / "tf_checkpoint"), results(short)
    assert before[1]["dto_while_training"]["steps"] == [0, 25, 40]
    longer(short)
    assert f"training {short} further, from step 40 on" in capsys.readouterr().err
    assert_as_if_uninterrupted(tmp_path / "model")
    train_small(tmp_path / "whole", *TRACKED, "steps = 60")
    assert results(tmp_path / "model") == results(tmp_path / "whole")
    assert results(tmp_path / "model")["dto_while_training"]["steps"] == [0, 25, 50, 60]
    assert_same(variables(short / "tf_checkpoint"), before[0])
    assert results(short) == before[1]


def test_an_end_that_was_measured_stays_where_the_export_after_it_failed(short, tmp_path):
    failing = mock.patch.object(longer_training, "keep", side_effect=Broken)
    with failing, pytest.raises(Broken):
        train_small(tmp_path / "model", *TRACKED, "steps = 40")
    assert checkpoints(tmp_path / "model") == [30, 40]
    train_small(tmp_path / "model", *TRACKED, "steps = 40")
    assert results(tmp_path / "model") == results(short)


@pytest.mark.long
def test_one_that_is_interrupted_continues_from_its_own_checkpoints(short, tmp_path, capsys):
    with broken_after(53), pytest.raises(Broken):
        longer(short)
    assert checkpoints(tmp_path / "model") == [40, 50]
    capsys.readouterr()
    longer(short)
    printed = capsys.readouterr().err
    assert "continuing from step 50" in printed and "further" not in printed
    assert_as_if_uninterrupted(tmp_path / "model")
    # And that one can be trained further in its turn.
    longer(tmp_path / "model", "steps = 70", to="again")
    assert results(tmp_path / "again")["polarized_regime"]["steps"] == [15, 30, 45, 60, 70]


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        (["vae.beta = 0.5"], r"another configuration: vae.beta = 0.0001 there, 0.5 now"),
        (["steps = 40"], "trained for 40 steps, and model.training_steps = 40 is not more"),
        (
            ["training_loop.continue_from = 'nothing'"],
            "nothing/tf_checkpoint/config.gin is missing",
        ),
        (["training_loop.resume = False"], "it needs training_loop.resume = True"),
        (["training_loop.continue_from = 3"], "training_loop.continue_from"),
    ],
)
def test_what_cannot_be_continued_is_refused_and_nothing_is_left(short, bindings, message):
    with pytest.raises(InputError, match=message):
        longer(short, *bindings)
    assert [path.name for path in short.parent.iterdir()] == ["short"]


def test_a_damaged_model_is_not_continued(short):
    with open(short / "tf_checkpoint/tracked.npz", "ab") as file:
        file.write(b" ")
    with pytest.raises(InputError, match=r"tracked.npz is damaged"):
        longer(short)


def test_a_model_of_other_data_is_not_continued(tmp_path, fresh_gin):
    path = tmp_path / "mine.npz"
    own = ["dataset.name = 'npz'", f"npz.path = '{path}'"]

    def save(seed):
        np.savez(path, z=np.random.RandomState(seed).random_sample((500, 6)))

    save(0)
    train_small(tmp_path / "short", *TRACKED, "steps = 40", *own)
    save(1)
    with pytest.raises(CannotContinue, match=r"mine.npz has been changed.*without training_loop"):
        longer(tmp_path / "short", *own)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.npz", "short"]
