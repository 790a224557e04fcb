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

from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import status

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


def test_the_status_counts_the_runs_by_what_their_files_say(tmp_path, capsys):
    runs = select("quick", ["beta_vae"], ["synth_linear"], range(5))
    folder = ResultsFolder(tmp_path)
    finished, running, failed, begun, _ = map(folder.run, runs)
    finished.directory.mkdir(parents=True)
    finished.facts.write_text(json.dumps({"seconds": 100.0}))
    running.lock.write_text("pid=4711\nhost=node7\n")
    folder.logs.mkdir()
    folder.log(runs[1]).write_text("vae_ortho_plugin: step 1,000 of 2,000, loss 1\n")
    failed.partial.directory.mkdir()
    failed.partial.error.write_text("OSError: disk full\nmore")
    begun.partial.directory.mkdir()
    status.show(runs, folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 5 runs finished, 1 running, 1 failed, 1 begun, 1 waiting")
    assert lines[1:] == [
        "running: synth_linear/beta_vae/1, process 4711 on host node7, step 1,000 of 2,000",
        "failed: synth_linear/beta_vae/2: OSError: disk full",
        "left: 7 min of computing in one worker",
    ]
