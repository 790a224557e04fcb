# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of a study, how long it takes, and when its report is written."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import (
    SYNTH_LINEAR_64,
    SYNTH_NONLINEAR_64,
    Experiment,
    Run,
)
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import duration, expected_seconds
from vae_ortho_plugin.study.run import state as module
from vae_ortho_plugin.study.run.missing_runs import parse_duration, parse_seeds
from vae_ortho_plugin.study.run.state import Pace, StudyState, live_view

FOLDER = ResultsFolder(Path("results"))
VAE, AE = Experiment(SYNTH_LINEAR_64, "beta_vae"), Experiment(SYNTH_NONLINEAR_64, "autoencoder")


def pace(*seconds, experiment=VAE):
    result = Pace()
    for took in seconds:
        result.add(Run(experiment, 0), took)
    return result


def lines(state, max_rows=10):
    console = Console(file=io.StringIO(), width=120)
    console.print(live_view(state, now=100.0, max_rows=max_rows))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


@pytest.fixture
def begun():
    waiting = [Run(VAE, 0), Run(VAE, 1), Run(VAE, 2), Run(VAE, 3), Run(AE, 0), Run(AE, 1)]
    state = StudyState(waiting, FOLDER)
    state.waiting = waiting[3:]
    state.running = {Run(VAE, 2): 90.0}
    state.finish(Run(VAE, 0), 30.0)
    state.fail(Run(VAE, 1), "ValueError: no luck")
    return state


def test_each_unfinished_experiment_has_its_counts_and_the_computing_that_is_left(begun):
    shown = lines(begun)
    # 20 s of the running run and 30 s of the waiting one
    assert shown[1] == "Synth. Lin., batch 64 β-VAE 1 1 1 1 50 s"
    two = 2 * 30 * expected_seconds(AE) / expected_seconds(VAE)
    assert shown[2] == f"Synth. Non-Lin., batch 64 AE 0 0 0 2 {duration(two)}"
    assert shown[3].endswith(f"2 of 6 runs done (1 failed), {duration(50 + two)} left")
    assert shown[4] == "now: synth_linear/beta_vae/2 (10 s)"
    assert lines(begun, max_rows=1)[2] == "and 1 more"


def test_a_finished_study_is_its_bar_alone():
    done = StudyState([Run(VAE, 0)], FOLDER, pace=pace(30.0))
    done.waiting.clear()
    (line,) = lines(done)
    assert line.endswith("1 of 1 runs done, 0 s left")


def state(waiting, running, pace, jobs=2):
    runs = [Run(VAE, seed) for seed in range(waiting)]
    begun = {Run(VAE, 50 + number): time for number, time in enumerate(running)}
    return StudyState(runs, FOLDER, jobs, pace=pace, running=begun)


def test_time_left_is_the_remaining_work_shared_by_the_workers_and_the_longest_runs_at_least():
    # 3 waiting runs of 10 s, two running since 4 s and 8 s: (30 + 6 + 2) / 2
    assert state(3, [6.0, 2.0], pace(8.0, 12.0)).seconds_left(now=10.0) == 19.0
    assert state(0, [9.0], pace(10.0), jobs=8).seconds_left(now=10.0) == 9.0
    # No time is promised before a run has finished.
    assert state(3, [0.0], Pace()).seconds_left(now=5.0) is None
    assert "estimating" in state(3, [0.0], Pace()).line(now=5.0)


def test_an_experiment_not_seen_yet_is_as_much_slower_than_scheduled_as_the_others():
    slow = pace(3 * expected_seconds(AE), experiment=AE)
    assert slow.of(Run(VAE, 0)) == pytest.approx(3 * expected_seconds(VAE))


def test_the_estimate_is_said_once_each_worker_has_made_a_run(capsys):
    shown = StudyState([Run(VAE, seed) for seed in range(4)], FOLDER, jobs=2)
    for seed in range(3):
        shown.waiting.pop()
        shown.finish(Run(VAE, seed), 60.0)
    _, second, estimate, _ = capsys.readouterr().out.splitlines()
    assert "estimat" not in second
    text = "first estimate, 2 at a time; 2 of 4 runs done, 1 min left"
    assert estimate == f"[2/4] {text}"


def test_the_time_of_earlier_runs_is_read_from_their_folder(tmp_path):
    folder, run = ResultsFolder(tmp_path), Run(VAE, 0)
    folder.run(run).path.mkdir(parents=True)
    folder.run(run).facts.write_text(json.dumps({"seconds": 70.0}))
    assert Pace([run], folder).of(Run(VAE, 1)) == 70.0


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when it is told to."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_the_report_is_due_after_each_round_of_seeds_but_the_last(clock):
    runs = [Run(VAE, 0), Run(AE, 0), Run(VAE, 1), Run(VAE, 2)]
    shown = StudyState(runs, FOLDER, write_report=lambda: None)
    due = []
    while shown.waiting:
        due.append(shown.report_is_due())
        shown.waiting.pop(0)
    assert due == [False, False, True, True]
    assert not shown.report_is_due()


def test_reports_take_a_twentieth_of_the_time(clock):
    def write():
        clock[0] += 10.0

    shown = StudyState([Run(VAE, seed) for seed in range(3)], FOLDER, write_report=write)
    shown.waiting.pop(0)
    clock[0] = 100.0
    assert shown.report_is_due()
    assert shown.renew_report() is None
    shown.waiting.pop(0)
    clock[0] = 399.0
    assert not shown.report_is_due()
    clock[0] = 400.0
    assert shown.report_is_due()


def test_the_report_is_named_once_and_one_that_cannot_be_written_does_not_end_the_study(capsys):
    def write():
        raise InputError("run.json is damaged.")

    shown = StudyState([Run(VAE, 0)], FOLDER, write_report=write)
    shown.say_of_report(shown.renew_report())
    shown.say_of_report(None)
    shown.say_of_report(None)
    failed, named = capsys.readouterr().out.splitlines()
    assert failed.startswith("[0/1] the report cannot be written: run.json is damaged.")
    page = "results/report.html"
    assert named.startswith(f"[0/1] report, written anew after each round of seeds: {page};")


def test_durations_read_well_and_are_read_from_the_command_line():
    read = [duration(seconds) for seconds in (0.4, 59, 150, 4800)]
    assert read == ["0 s", "59 s", "2 min", "1 h 20 min"]
    found = [parse_duration(text) for text in ("3h50m", "90m", "600s", "45", None)]
    assert found == [13_800, 5400, 600, 45, math.inf]
    for text in ("", "soon", "0", "-5", "1d"):
        with pytest.raises(InputError, match="3h50m"):
            parse_duration(text)


def test_seeds_of_the_command_line_are_numbers_and_ranges():
    assert parse_seeds(["0", "3", "5-7"]) == [0, 3, 5, 6, 7]
    assert max(parse_seeds(["5-99999999999"])) == 105  # out of range, and no list of them all
    for text, message in (("five", "numbers or ranges"), ("-1", "0 3 5-9"), ("7-5", "is empty")):
        with pytest.raises(InputError, match=message):
            parse_seeds([text])
