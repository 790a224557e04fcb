# SPDX-License-Identifier: Apache-2.0
"""Studies whose runs Snakemake has made: on this machine, and on a Slurm of this machine."""

import os
import re
import signal

import pytest
from cluster_support import (
    finished_runs,
    jobs,
    kill_launcher_and_snakemake,
    slurm,  # noqa: F401
    snakemake,  # noqa: F401
    start_study,
    wait_until,
)

from vae_ortho_plugin.data.files.mnist_files import SHAPES
from vae_ortho_plugin.study.run.machine import available_cores

QUICK = ("--study", "quick", "--epochs", "2", "--seeds", "0-1")
QUICK += ("--models", "beta_vae", "autoencoder", "vae")
SLURM = ("--snakemake", "--executor", "slurm", "--jobs", "100")
SLURM += ("--slurm-init-seconds-before-status-checks", "3")  # instead of 40
# What a report says of the time that runs took and of the machine.
TIMES = re.compile(r"\b\d+(\.\d+)? (s|min|h)\b")


def report(output):
    """What a study ends with, but for the time that it took."""
    tables = {path.name: path.read_text() for path in sorted((output / "tables").iterdir())}
    return TIMES.sub("TIME", (output / "report.md").read_text()), tables


@pytest.fixture(scope="module")
def damaged_mnist(tmp_path_factory):
    """Environment in which the runs on MNIST fail."""
    data = tmp_path_factory.mktemp("data")
    (data / "mnist").mkdir()
    for name in SHAPES:
        (data / "mnist" / name).write_bytes(b"no idx file")
    return {"DISENTANGLEMENT_LIB_DATA": str(data)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, damaged_mnist):
    """The report of the quick study, shortened, that the workers of one machine have made, a thread each."""
    output = tmp_path_factory.mktemp("undisturbed")
    words = (*QUICK, "--jobs", str(available_cores()))
    process = start_study(output, *words, environment={**os.environ, **damaged_mnist})
    text, _ = process.communicate()
    assert process.returncode == 1, text
    return report(output)


@pytest.mark.long
def test_a_study_on_slurm_that_is_killed_and_stopped_ends_as_an_undisturbed_one(
    slurm, damaged_mnist, undisturbed, tmp_path
):
    output, environment = tmp_path / "a {b}", {**slurm, **damaged_mnist}
    command = (output, *QUICK, *SLURM)

    process = start_study(*command, environment=environment)
    wait_until(lambda: finished_runs(output) >= 3, process, seconds=600)
    kill_launcher_and_snakemake(process, output)
    assert jobs(slurm), "Slurm's jobs outlive Snakemake"

    process = start_study(*command, environment=environment)
    done = finished_runs(output)
    wait_until(lambda: finished_runs(output) >= done + 3, process, seconds=600)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 143, text
    assert "The same command continues" in text
    assert jobs(slurm) == []

    process = start_study(*command, environment=environment)
    text, _ = process.communicate()
    assert process.returncode == 1, text
    log = (output / "logs/snakemake.log").read_text()
    assert re.search(r"Cancelled \d+ jobs of an earlier launch", log)
    assert "failed: mnist_short-2-epochs/vae/0: InputError: " in text
    assert report(output) == undisturbed
    assert list(output.glob("runs/synth*/*/.*")) == []
    assert jobs(slurm) == []


def test_snakemake_makes_a_study_on_this_machine_also_after_sigterm(snakemake, tmp_path):
    words = ("--models", "random_decoder", "--data-sets", "synth_linear", "--seeds", "0-1")
    command = (tmp_path, *words, "--snakemake", "--executor", "local", "--cores", "1")
    process = start_study(*command)
    log = tmp_path / "logs/synth_linear-random_decoder-0.log"
    wait_until(log.exists, process, seconds=120)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=100)
    assert process.returncode == 143, text
    assert finished_runs(tmp_path) < 2

    process = start_study(*command)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert finished_runs(tmp_path) == 2
    assert (tmp_path / "report.md").exists()

    process = start_study(*command)
    text, _ = process.communicate()
    assert "2 runs, 2 of them finished before" in text
    assert len(list((tmp_path / "cluster").iterdir())) == 2, "no launch without a missing run"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--executor", "slrum", "--jobs", "5"], "slrum"),
        (["--executor", "local", "--cores", "1", "--dry-run"], "--dry-run makes no run"),
    ],
)
def test_options_that_snakemake_does_not_take_are_shown(snakemake, tmp_path, words, message):
    selected = ("--models", "random_decoder", "--data-sets", "synth_linear", "--seeds", "0")
    process = start_study(tmp_path, *selected, "--snakemake", *words)
    text, _ = process.communicate()
    assert process.returncode == 2, text
    assert "error: Snakemake made no run" in text
    assert message in text
    assert "Traceback" not in text
