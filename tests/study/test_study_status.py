# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study --status` reads from the files whether a process is at work."""

import json
import os
import subprocess
import sys
import time

import pytest

from vae_ortho_plugin.locks import locked
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import command, status

RUNS = select("quick", ["beta_vae"], ["synth_linear"], range(2))


@pytest.fixture
def folder(tmp_path):
    folder = ResultsFolder(tmp_path)
    folder.run(RUNS[0]).partial.directory.mkdir(parents=True)
    return folder


def killed_holder(lock):
    """Leaves the lock of a process of this host that was killed."""
    program = (
        "import os, pathlib, sys; from vae_ortho_plugin.locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), 'the run'): os._exit(0)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, lock])
    process.wait()
    assert lock.exists()


def test_the_status_counts_the_runs_by_what_their_files_say(tmp_path, capsys):
    runs, folder = select("quick", ["beta_vae"], ["synth_linear"]), ResultsFolder(tmp_path)
    finished, running, failed, begun, other = map(folder.run, runs)
    finished.directory.mkdir(parents=True)
    finished.facts.write_text(json.dumps({"seconds": 100.0}))
    for lock in (running.lock, other.lock):
        lock.write_text("pid=4711\nhost=node7\n")
    folder.logs.mkdir()
    folder.log(runs[1]).write_text("vae_ortho_plugin: step 1,000 of 2,000, loss 1\n")
    failed.partial.directory.mkdir()
    failed.partial.error.write_text("OSError: disk full\nmore")
    begun.partial.directory.mkdir()
    status.show(runs, folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 5 runs finished, 2 running, 1 failed, 1 begun, 0 waiting")
    assert lines[1:] == [
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


def test_a_process_of_this_host_that_is_gone_is_not_running(folder):
    killed_holder(folder.run(RUNS[0]).lock)
    assert status.status_of(RUNS, folder).stopped == [RUNS[0]]


@pytest.mark.parametrize(("age", "running"), [(10, 1), (200, 0)])
def test_a_lease_of_another_host_counts_as_long_as_it_is_renewed(folder, age, running):
    lock = folder.run(RUNS[0]).lock
    lock.write_text("pid=4711\nhost=node7\n")
    os.utime(lock, (time.time() - age, time.time() - age))
    assert len(status.status_of(RUNS, folder).running) == running


def test_an_unreadable_lock_or_an_empty_error_is_no_traceback(folder, capsys):
    folder.run(RUNS[0]).lock.write_bytes(b"\xff\xfe")
    folder.run(RUNS[0]).partial.error.touch()
    status.show(RUNS, folder)
    assert f"failed: {RUNS[0]}: unknown error" in capsys.readouterr().out


def test_the_study_that_works_in_the_folder_is_named(folder, capsys):
    with locked(folder.lock, "the folder"):
        status.show(RUNS, folder)
    assert f"study: process {os.getpid()} on" in capsys.readouterr().out


def test_a_folder_that_does_not_exist_is_refused(tmp_path, capsys):
    assert command.main(["--status", "--output", str(tmp_path / "none")]) == 2
    assert "no results folder" in capsys.readouterr().err


def test_a_study_in_a_folder_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path, capsys):
    assert command.main(["--output", str(tmp_path / "[1]")]) == 2
    assert "for a pattern of paths" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_its_run_json_is_not_taken_for_finished(folder, capsys):
    directory = folder.run(RUNS[1]).directory
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


def test_the_next_call_deletes_what_killed_processes_have_left(folder, capsys):
    left = [
        folder.path / ".results.4711.partial.json",
        folder.path / "tables" / ".table_2.4711.partial.csv",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    killed_holder(folder.engine_lock)
    kept = folder.path / "tables" / "table_2.csv"
    kept.write_text("")
    study = ["--study", "quick", "--output", str(folder.path), "--report-only"]
    command.main(study)
    assert not any(path.exists() for path in [*left, folder.engine_lock])
    assert kept.exists()


def test_the_lock_of_a_snakemake_that_works_stays(folder, capsys):
    with locked(folder.engine_lock, "the jobs"):
        command.main(["--study", "quick", "--output", str(folder.path), "--report-only"])
        assert folder.engine_lock.exists()
