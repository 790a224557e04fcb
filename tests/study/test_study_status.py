# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study --status` reads from the files whether a process is at work."""

import json
import os
import time

import pytest

from vae_ortho_plugin.files.locks import locked
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import command, status
from vae_ortho_plugin.study.run.missing_runs import delete_leftovers

RUNS = select("quick", ["beta_vae"], ["synth_linear"], range(2))


@pytest.fixture
def folder(tmp_path):
    folder = ResultsFolder(tmp_path)
    folder.run(RUNS[0]).partial.path.mkdir(parents=True)
    return folder


def renewed(lock, seconds):
    """Makes a lock of another host that was renewed so many seconds ago."""
    lock.write_text("pid=4711\nhost=node7\n")
    os.utime(lock, (time.time() - seconds, time.time() - seconds))


def test_the_status_counts_the_runs_by_what_their_files_say(tmp_path, capsys):
    runs, folder = select("quick", ["beta_vae"], ["synth_linear"]), ResultsFolder(tmp_path)
    finished, running, failed, begun, other = map(folder.run, runs)
    finished.path.mkdir(parents=True)
    finished.facts.write_text(json.dumps({"seconds": 100.0}))
    renewed(running.lock, 0)
    renewed(other.lock, 10)
    folder.logs.mkdir()
    folder.log(runs[1]).write_text("vae_ortho_plugin: step 1,000 of 2,000, loss 1\n")
    failed.partial.path.mkdir()
    failed.partial.error.write_text("OSError: disk full\nmore")
    begun.partial.path.mkdir()
    with locked(folder.lock, "the folder"):
        status.show(runs, folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 5 runs finished, 2 running, 1 failed, 1 begun, 0 waiting")
    assert lines[1].startswith(f"study: process {os.getpid()} on")
    assert lines[2:] == [
        "running: synth_linear/beta_vae/1, process 4711 on host node7, step 1,000 of 2,000",
        "running: synth_linear/beta_vae/4, process 4711 on host node7",
        "failed: synth_linear/beta_vae/2: OSError: disk full",
        "left: 7 min of computing in one worker, about 3 min with the 2 at work",
    ]


def test_the_holder_of_a_lock_is_running_and_after_its_end_the_run_is_begun(folder):
    with locked(folder.run(RUNS[0]).lock, "the run"):
        found = status.status_of(RUNS, folder)
        assert found.running[RUNS[0]].pid == os.getpid()
        assert found.waiting == [RUNS[1]]
    assert status.status_of(RUNS, folder).stopped == [RUNS[0]]
    renewed(folder.run(RUNS[0]).lock, 200)
    assert status.status_of(RUNS, folder).stopped == [RUNS[0]]


def test_an_unreadable_lock_or_an_empty_error_is_no_traceback(folder, capsys):
    folder.run(RUNS[0]).lock.write_bytes(b"\xff\xfe")
    folder.run(RUNS[0]).partial.error.touch()
    status.show(RUNS, folder)
    assert f"failed: {RUNS[0]}: unknown error" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--status", "--output", "{}/none"], "no results folder"),
        (["--output", "{}/[1]"], "for a pattern of paths"),
        (["--output", "{}/file/of/mine"], "file is a file. Name another directory."),
        (["--output", "/proc/none"], "/proc/none: cannot be written ("),
    ],
)
def test_a_folder_that_is_not_there_or_cannot_be_made_is_refused(words, message, tmp_path, capsys):
    (tmp_path / "file").touch()
    selected = ["--models", "random_decoder", "--data-sets", "synth_linear"]
    assert command.main([*selected, *(word.format(tmp_path) for word in words)]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_without_its_run_json_is_not_taken_for_finished(folder, capsys):
    directory = folder.run(RUNS[1]).path
    directory.mkdir()
    arguments = ["--study", "quick", "--models", "beta_vae", "--data-sets", "synth_linear"]
    arguments += ["--seeds", "0-1", "--output", str(folder.path)]
    assert command.main([*arguments, "--status"]) == 0
    assert (
        f"failed: {RUNS[1]}: {directory} has no run.json; move it away" in capsys.readouterr().out
    )
    for options in ([], ["--report-only"]):
        assert command.main([*arguments, *options]) == 2
        assert f"{directory} has no run.json" in capsys.readouterr().err
    directory.rename(folder.path / "moved away")
    assert not folder.has(RUNS[1])


def test_the_next_call_deletes_what_killed_processes_have_left(folder):
    tables = folder.path / "tables"
    tables.mkdir()
    left = [folder.path / ".results.4711.partial.json", tables / ".table_2.4711.partial.csv"]
    for path in (*left, tables / "of_mine.csv"):
        path.touch()
    with locked(folder.snakemake_lock, "the jobs"):
        delete_leftovers(folder)
        assert folder.snakemake_lock.exists()
    renewed(folder.snakemake_lock, 200)
    delete_leftovers(folder)
    assert not any(path.exists() for path in (*left, folder.snakemake_lock))
    assert (tables / "of_mine.csv").exists()
