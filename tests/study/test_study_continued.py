# SPDX-License-Identifier: Apache-2.0
"""A run of the study that is killed, and continued by the next call."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SELECTED = [
    "--models",
    "beta_vae",
    "--data-sets",
    "synth_linear",
    "--seeds",
    "0",
    "--epochs",
    "300",
]
FOLDER = "runs/synth_linear-300-epochs/beta_vae"


def study(output, *options):
    command = [sys.executable, "-m", "vae_ortho_plugin.study.run", *SELECTED, "--output", output]
    return subprocess.Popen(
        [*map(str, command), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def result(output):
    directory = Path(output, FOLDER, "0")
    training = json.loads((directory / "model/results/json/train_results.json").read_text())
    metric = directory / "metrics/mean/dto/results/json/evaluation_results.json"
    return training["loss"], training["dto_while_training"], json.loads(metric.read_text())["dto"]


def wait_for(path, pattern, process, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and re.search(pattern, path.read_text(errors="replace")):
            return
        time.sleep(0.02)
    raise AssertionError(f"{pattern} is not in {path}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    process = study(output)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    return output


@pytest.mark.long
def test_a_study_that_is_stopped_and_killed_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    log = tmp_path / "logs/synth_linear-300-epochs-beta_vae-0.log"
    process = study(tmp_path)
    wait_for(log, "step|training", process)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate()
    assert process.returncode == 143, text
    assert "The same command continues" in text
    assert (tmp_path / FOLDER / ".0.partial/plan.json").exists()

    # SIGKILL of the launcher: its worker finishes the run, or the next call takes it over.
    process = study(tmp_path)
    wait_for(log, "continuing the unfinished run", process)
    process.kill()
    process.communicate()
    process = study(tmp_path)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert result(tmp_path) == result(undisturbed)
    assert sorted(os.listdir(tmp_path / FOLDER)) == ["0"]


@pytest.mark.long
def test_an_unfinished_run_of_another_version_is_set_aside(undisturbed, tmp_path):
    partial = tmp_path / FOLDER / ".0.partial"
    partial.mkdir(parents=True)
    (partial / "plan.json").write_text(json.dumps({"version": "0.0", "seconds": 1}))
    process = study(tmp_path)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert result(tmp_path) == result(undisturbed)
    (aside,) = (tmp_path / FOLDER).glob(".0.partial.*")
    assert json.loads((aside / "plan.json").read_text())["version"] == "0.0"
