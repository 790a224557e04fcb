# SPDX-License-Identifier: Apache-2.0
"""A run of the study that is killed, and continued by the next call."""

import json
import os
import re
import signal
import time

import pytest
from cluster_support import start_study, wait_until

SELECTED = ["--models", "beta_vae", "--data-sets", "synth_linear", "--seeds", "0"]
SELECTED += ["--epochs", "300"]
FOLDER = "runs/synth_linear-300-epochs/beta_vae"
LOG = "logs/synth_linear-300-epochs-beta_vae-0.log"


def finish(output):
    """Makes the study; what its training run and a metric found."""
    process = start_study(output, *SELECTED)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    directory = output / FOLDER / "0"
    training = json.loads((directory / "model/results/json/train_results.json").read_text())
    metric = directory / "metrics/mean/dto/results/json/evaluation_results.json"
    return training["loss"], training["dto_while_training"], json.loads(metric.read_text())["dto"]


def started(output, pattern):
    """A study whose run has logged this."""
    process, log = start_study(output, *SELECTED), output / LOG
    wait_until(
        lambda: log.exists() and re.search(pattern, log.read_text(errors="replace")), process, 120
    )
    return process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A results folder with the unfinished run of another version, and what the study found in it."""
    output = tmp_path_factory.mktemp("undisturbed")
    partial = output / FOLDER / ".0.partial"
    partial.mkdir(parents=True)
    (partial / "plan.json").write_text(json.dumps({"version": "0.0", "seconds": 1}))
    return output, finish(output)


@pytest.mark.long
def test_an_unfinished_run_of_another_version_is_set_aside(undisturbed):
    (aside,) = (undisturbed[0] / FOLDER).glob(".0.partial.*")
    assert json.loads((aside / "plan.json").read_text())["version"] == "0.0"


@pytest.mark.long
def test_a_study_that_is_stopped_and_killed_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    process = started(tmp_path, "step|training")
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate()
    assert process.returncode == 143, text
    assert "The same command continues" in text
    assert (tmp_path / FOLDER / ".0.partial/plan.json").exists()

    # SIGKILL of the launcher: its worker finishes the run, or the next call takes it over.
    process = started(tmp_path, "continuing the unfinished run")
    process.kill()
    process.communicate()
    assert finish(tmp_path) == undisturbed[1]
    assert sorted(os.listdir(tmp_path / FOLDER)) == ["0"]
