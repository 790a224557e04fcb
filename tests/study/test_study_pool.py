# SPDX-License-Identifier: Apache-2.0
"""The pool, with a stand-in for the worker that trains nothing."""

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from vae_ortho_plugin.engine.interruption import Interrupted
from vae_ortho_plugin.study.plan.experiments import SYNTH_LINEAR_64, Experiment, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run import pool
from vae_ortho_plugin.study.run.state import StudyState

EXPERIMENT = Experiment(SYNTH_LINEAR_64, "beta_vae")

# What it does with a model number; it makes all others.
FAKE_WORKER = """
import json, os, signal, sys, time
from pathlib import Path

def answer(error, user_must_fix=False):
    print(json.dumps({"error": error, "user_must_fix": user_must_fix}), flush=True)
    if error:
        sys.exit(1)

for line in sys.stdin:
    job = json.loads(line)
    number, directory = job["model_num"], Path(job["directory"])
    partial = directory.with_name(f".{directory.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    with open(partial.with_name(f"tried-{number}"), "a") as tried:
        tried.write("x")
        first = tried.tell() == 1
    {
        1: lambda: answer("ValueError: no luck"),
        2: lambda: os._exit(7),
        3: lambda: time.sleep(600),
        8: lambda: os.kill(os.getpid(), signal.SIGKILL),
        9: lambda: answer("x" * 200_000),
        10: lambda: first and answer("no luck"),
        11: lambda: answer("no luck", user_must_fix=True),
        12: lambda: (print("{no json}", flush=True), time.sleep(600)),
        13: lambda: (print('{"error":', end="", flush=True), os._exit(7)),
    }.get(number, lambda: None)()
    (partial / "pid").write_text(f"{os.getpid()} {os.environ['TF_NUM_INTRAOP_THREADS']}")
    (partial / "xla").write_text(os.environ["TF_XLA_FLAGS"])
    partial.rename(directory)
    answer(None)
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WORKER", (sys.executable, "-c", FAKE_WORKER))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)

    def make(seeds, **options):
        runs = [Run(EXPERIMENT, seed) for seed in seeds]
        state = StudyState(runs, ResultsFolder(tmp_path), **options)
        assert pool.make_in_workers(state, threads=3) is ("end" not in options)
        return {run.seed: error for run, error in state.failures.items()}

    return make


def test_one_worker_makes_run_after_run_with_its_threads(make, tmp_path, capsys):
    assert make([4, 5, 6]) == {}
    (written,) = {path.read_text() for path in tmp_path.glob("runs/*/*/[456]/pid")}
    assert written.endswith(" 3")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("[3/3] synth_linear/beta_vae/6: 0 s; 3 of 3 runs done, 0 s left")


def test_workers_have_one_cache_of_compiled_programs_as_long_as_they_work(make, tmp_path):
    make([4, 5, 6], jobs=2)
    (flags,) = {path.read_text() for path in tmp_path.glob("runs/*/*/[456]/xla")}
    assert not Path(flags.partition("=")[2]).exists()


def test_a_run_waits_for_the_shorter_one_it_continues(tmp_path):
    short, long, other = Run(EXPERIMENT.shortened(2), 4), Run(EXPERIMENT, 4), Run(EXPERIMENT, 5)
    state = StudyState([long, other], ResultsFolder(tmp_path), running={short: 0.0})
    assert pool._next_run(state) == other
    state.waiting.remove(other)
    assert pool._next_run(state) is None
    del state.running[short]
    assert pool._next_run(state) == long


def finished(output):
    names = os.listdir(output / "runs/synth_linear/beta_vae")
    return sorted(name for name in names if name.isdecimal())


def attempts(output, seed):
    return len((output / f"runs/synth_linear/beta_vae/tried-{seed}").read_text())


def test_a_failed_run_is_tried_again_unless_the_user_must_fix_it(make, tmp_path):
    assert make([10, 11, 2], retries=2).keys() == {11, 2}
    assert finished(tmp_path) == ["10"]
    assert [attempts(tmp_path, seed) for seed in (10, 11, 2)] == [2, 1, 3]


def test_each_kind_of_failure_costs_its_own_run_only_and_leaves_its_error(make, tmp_path, capsys):
    errors = make([1, 2, 8, 9, 12, 13, 4])
    assert errors[1] == "ValueError: no luck"
    assert errors[2] == errors[13] == "its process ended with exit code 7"
    assert "killed (SIGKILL)" in errors[8] and "GiB" in errors[8]
    assert len(errors[9]) == 200_000
    assert "cannot be read" in errors[12]
    assert finished(tmp_path) == ["4"]
    killed = ResultsFolder(tmp_path).run(Run(EXPERIMENT, 8))
    assert killed.partial.error.read_text() == errors[8]
    printed = capsys.readouterr().out
    assert f"no luck ({tmp_path}/logs/synth_linear-beta_vae-1.log)" in printed
    assert "(6 failed)" in printed


def test_a_worker_that_cannot_start_costs_its_run_only(make, monkeypatch):
    monkeypatch.setattr(pool, "WORKER", ("/no/such/python",))
    errors = make([4, 5])
    assert errors.keys() == {4, 5}
    assert "No such file" in errors[4]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_workers_and_says_which_it_was(make, tmp_path, number, caplog):
    partial = tmp_path / "runs/synth_linear/beta_vae/.3.partial"
    before = signal.getsignal(number)

    def kill():
        while not partial.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(Interrupted) as stopped:
        make([4, 3, 5])
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert finished(tmp_path) == ["4"]
    del stopped
    gc.collect()
    assert not caplog.records  # of asyncio: an exception that nobody took


def test_a_time_limit_stops_the_workers_and_leaves_the_unfinished_run(make, tmp_path):
    make([4, 3], end=time.monotonic() + 4)
    assert finished(tmp_path) == ["4"]
    assert (tmp_path / "runs/synth_linear/beta_vae/.3.partial").exists()
