# SPDX-License-Identifier: Apache-2.0
"""The pool and its progress, with a stand-in for the worker that trains nothing."""

import asyncio
import collections
import os
import signal
import sys
import threading
import time

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.plan.experiments import SYNTH_LINEAR_64, Experiment, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run import pool
from vae_ortho_plugin.study.run.display import shown
from vae_ortho_plugin.study.run.missing_runs import parse_duration
from vae_ortho_plugin.study.run.pool import (
    Stopped,
    TimeLimitReached,
    feed_workers,
    make_in_workers,
)
from vae_ortho_plugin.study.run.progress import Progress

EXPERIMENT = Experiment(SYNTH_LINEAR_64, "beta_vae")

# Model number 1 fails, 2 dies half-way, 3 hangs half-way, 8 is killed, 9 has a long error, 10 fails once, 11
# fails by the user's fault, 12 and 13 answer no JSON and half a line, all others succeed.
FAKE_WORKER = """
import json, os, signal, sys, time
from pathlib import Path
for line in sys.stdin:
    job = json.loads(line)
    directory = Path(job["directory"])
    partial = directory.with_name(f".{directory.name}.partial")
    if job["model_num"] == 1:
        print(json.dumps({"error": "ValueError: no luck", "user_must_fix": False}), flush=True)
        sys.exit(1)
    tried = partial.with_name(f"tried-{job['model_num']}")
    first, count = not tried.exists(), len(tried.read_text()) if tried.exists() else 0
    tried.parent.mkdir(parents=True, exist_ok=True)
    tried.write_text("x" * (count + 1))
    if job["model_num"] in (9, 11) or (job["model_num"] == 10 and first):
        text = "x" * 200_000 if job["model_num"] == 9 else "no luck"
        print(json.dumps({"error": text, "user_must_fix": job["model_num"] == 11}), flush=True)
        sys.exit(1)
    if job["model_num"] == 12:
        print("{no json}", flush=True)
        time.sleep(600)
    if job["model_num"] == 13:
        print('{"error":', end="", flush=True)
        os._exit(7)
    partial.mkdir(parents=True, exist_ok=True)
    if job["model_num"] == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    if job["model_num"] == 2:
        os._exit(7)
    if job["model_num"] == 3:
        time.sleep(600)
    (partial / "pid").write_text(f"{os.getpid()} {os.environ['TF_NUM_INTRAOP_THREADS']}")
    partial.rename(directory)
    print(json.dumps({"error": None}), flush=True)
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WORKER", (sys.executable, "-c", FAKE_WORKER))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)

    def make(seeds, jobs=1, **options):
        runs = [Run(EXPERIMENT, seed) for seed in seeds]
        return make_in_workers(runs, ResultsFolder(tmp_path), jobs, threads=3, **options)

    return make


def test_one_worker_makes_run_after_run_with_its_threads(make, tmp_path, capsys):
    assert make([4, 5, 6]) == []
    written = {
        (tmp_path / "runs" / str(Run(EXPERIMENT, seed)) / "pid").read_text() for seed in (4, 5, 6)
    }
    assert len(written) == 1
    assert written.pop().endswith(" 3")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("[3/3] synth_linear/beta_vae/6: 0 s; 3 of 3 runs done, 0 s left")


def test_failures_are_returned_leave_no_finished_directory_and_stop_nothing_else(
    make, tmp_path, capsys
):
    failures = make([1, 2, 4])
    assert [(f.run.seed, f.error) for f in failures] == [
        (1, "ValueError: no luck"),
        (2, "its process ended with exit code 7"),
    ]
    assert failures[0].log == tmp_path / "logs" / "synth_linear-beta_vae-1.log"
    assert finished(tmp_path) == ["4"]
    assert "(2 failed)" in capsys.readouterr().out


def finished(output):
    names = os.listdir(output / "runs/synth_linear/beta_vae")
    return sorted(name for name in names if name.isdecimal())


def attempts(output, seed):
    return len((output / f"runs/synth_linear/beta_vae/tried-{seed}").read_text())


def test_a_failed_run_is_tried_again_unless_the_user_must_fix_it(make, tmp_path):
    failures = make([10, 11, 2], retries=2)
    assert [f.run.seed for f in failures] == [11, 2]
    assert finished(tmp_path) == ["10"]
    assert [attempts(tmp_path, seed) for seed in (10, 11, 2)] == [2, 1, 3]


def test_the_death_of_a_worker_names_the_signal_and_the_memory(make):
    (failure,) = make([8])
    assert "killed (SIGKILL)" in failure.error and "GiB" in failure.error


def test_an_error_of_any_length_is_returned(make, tmp_path):
    (failure,) = make([9, 4])
    assert len(failure.error) == 200_000
    assert finished(tmp_path) == ["4"]


def test_an_answer_that_is_no_json_or_cut_off_costs_its_run_only(make, tmp_path):
    failures = make([12, 13, 4])
    assert "cannot be read" in failures[0].error
    assert failures[1].error == "its process ended with exit code 7"
    assert finished(tmp_path) == ["4"]


def test_a_worker_that_cannot_start_costs_its_run_only(make, monkeypatch):
    monkeypatch.setattr(pool, "WORKER", ("/no/such/python",))
    failures = make([4, 5])
    assert [failure.run.seed for failure in failures] == [4, 5]
    assert "No such file" in failures[0].error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_workers_and_says_which_it_was(make, tmp_path, number):
    partial = tmp_path / "runs/synth_linear/beta_vae/.3.partial"
    before = signal.getsignal(number)

    def kill():
        while not partial.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(Stopped) as stopped:
        make([4, 3, 5])
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert finished(tmp_path) == ["4"]


def test_a_time_limit_stops_the_workers_and_keeps_the_unfinished_run(make, tmp_path):
    with pytest.raises(TimeLimitReached):
        make([4, 3], time_limit=3)
    assert finished(tmp_path) == ["4"]
    assert (tmp_path / "runs/synth_linear/beta_vae/.3.partial").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("3h50m", 13_800), ("90m", 5400), ("600s", 600), ("45", 45), (None, None)]
)
def test_durations_of_the_command_line(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "-5", "1d"])
def test_a_bad_duration_is_refused(text):
    with pytest.raises(InputError, match="3h50m"):
        parse_duration(text)


def test_an_interruption_ends_the_workers_and_keeps_the_unfinished_run(make, tmp_path):
    folder = tmp_path / "runs/synth_linear/beta_vae"

    async def interrupted():
        progress = Progress(collections.deque([Run(EXPERIMENT, 4), Run(EXPERIMENT, 3)]), jobs=1)
        (tmp_path / "logs").mkdir()
        with shown(progress) as display:
            task = asyncio.create_task(feed_workers(progress, ResultsFolder(tmp_path), 1, display))
        while not (folder / ".3.partial").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(interrupted(), timeout=30))
    assert finished(tmp_path) == ["4"]
    assert (folder / ".3.partial").exists()


def progress(waiting, running, seconds, jobs=2):
    return Progress(
        collections.deque(Run(EXPERIMENT, seed) for seed in range(waiting)),
        jobs,
        running={Run(EXPERIMENT, 50 + i): begun for i, begun in enumerate(running)},
        seconds=seconds,
    )


def test_no_time_is_promised_before_a_run_has_finished():
    assert progress(3, [0.0], {}).seconds_left(now=5.0) is None
    assert "estimating" in progress(3, [0.0], {}).line(now=5.0)


def test_time_left_is_the_remaining_work_shared_by_the_workers():
    # 3 waiting runs of 10 s, two running since 4 s and 8 s: (30 + 6 + 2) / 2
    assert progress(3, [6.0, 2.0], {EXPERIMENT: [8.0, 12.0]}).seconds_left(now=10.0) == 19.0


def test_time_left_is_no_less_than_the_longest_running_run_needs():
    assert progress(0, [9.0], {EXPERIMENT: [10.0]}, jobs=8).seconds_left(now=10.0) == 9.0


def test_runs_of_an_experiment_not_seen_yet_are_expected_to_take_the_mean_of_all():
    other = Experiment(SYNTH_LINEAR_64, "autoencoder")
    assert progress(1, [], {other: [4.0, 6.0]}, jobs=1).seconds_left(now=0.0) == 5.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (150, "2 min"), (4800, "1 h 20 min")]
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
