# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' framework: what it measures in which order, and what stays when something fails. Nothing is timed."""

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import environment_tf114, environment_torch, gpu, table
from benchmarks import run as benchmarks_run
from benchmarks.framework import Row, Series, Settings, measure

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def settings(tmp_path):
    return Settings(scratch=tmp_path, python_tf114=None, repeats=3, seconds=0.01)


def series(name, measure, **goals):
    """A series of the framework that measures by a function."""

    @contextlib.contextmanager
    def open_(settings):
        yield measure

    return Series(name, open_, **goals)


def row(*all_series, **attributes):
    return Row("example", "An example", "s", all_series, **attributes)


def test_series_are_measured_in_alternation(settings):
    order = []

    def counting(name):
        return lambda: order.append(name) or float(len(order))

    facts = measure(row(series("a", counting("a")), series("b", counting("b"))), settings)
    assert order == ["a", "b"] * 3
    assert [one["values"] for one in facts["series"]] == [[1, 3, 5], [2, 4, 6]]


def test_a_series_that_fails_says_why_and_the_others_go_on(settings):
    answers = iter([1.0])
    facts = measure(
        row(series("good", lambda: 2.0), series("bad", lambda: next(answers))), settings
    )
    good, bad = facts["series"]
    assert good["values"] == [2, 2, 2] and good["not_measured"] is None
    assert bad["values"] == [] and "StopIteration" in bad["not_measured"]


def in_tf114(settings):
    return environment_tf114.on_request(settings, [], settings.scratch / "log")


def in_torch(settings):
    return environment_torch.dto(settings, (2, 3))


@pytest.mark.parametrize(
    "python, reason",
    [
        (None, "no --python-(tf114|torch) was given"),
        ("/nowhere/python", "/nowhere/python cannot be run: No such file or directory"),
        ("broken/python", "broken/python ended: ModuleNotFoundError: No module named 'tensorflow'"),
    ],
)
@pytest.mark.parametrize("open_request", [in_tf114, in_torch])
def test_a_missing_or_broken_other_environment_is_the_row_s_reason(
    settings, open_request, python, reason, monkeypatch
):
    broken = settings.scratch / "broken" / "python"
    broken.parent.mkdir()
    broken.write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'tensorflow'\" >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.chdir(settings.scratch)
    settings = dataclasses.replace(settings, python_tf114=python, python_torch=python)

    @contextlib.contextmanager
    def old(settings):
        with open_request(settings) as request:
            yield lambda: request(1)

    facts = measure(row(series("new", lambda: 1.0), Series("old", old)), settings)
    assert facts["series"][0]["values"] == [1, 1, 1]
    assert re.search(reason, facts["series"][1]["not_measured"])


def test_the_table_compares_medians_and_says_which_goals_are_reached(settings):
    values = iter([3.0, 1.0, 2.0])
    facts = measure(
        row(
            series("plugin", lambda: next(values)),
            series("slow", lambda: 10.0, at_most=0.5),
            series("fast", lambda: 1.0, at_most=1.5),
            at_most=2,
        ),
        settings,
    )
    facts |= {"machine": {"versions": {}, "gpus": []}, "busy_cores_before": 0.0, "date": "today"}
    facts["machine"] |= dict.fromkeys(("commit", "processor", "cores", "memory_gib", "system"), "x")
    table.evaluate(facts)
    lines = table.markdown([facts]).splitlines()
    assert lines[2] == "| **An example** (s) | plugin | 2 | 1 | 3 |  | ≤ 2 | yes |"
    assert lines[3] == "|  | slow | 10 | 10 | 10 | 0.2 × | ≤ 0.5 × | yes |"
    assert lines[4] == "|  | fast | 1 | 1 | 1 | 2 × | ≤ 1.5 × | **no** |"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.mark.parametrize(
    ("reason", "calls"),
    [(None, 1), ("JAX is not installed", 1), ("it failed with ValueError: x", 2)],
)
def test_a_row_is_measured_again_where_something_in_it_failed(
    settings, tmp_path, monkeypatch, reason, calls
):
    commands = []

    def measured(command, check):
        commands.append(command)
        Path(command[4]).write_text(json.dumps({"series": [{"not_measured": reason}]}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(benchmarks_run.subprocess, "run", measured)
    monkeypatch.setattr(benchmarks_run.machine, "commit", lambda: "abc")
    assert benchmarks_run._measure("row", tmp_path, settings)
    assert benchmarks_run._measure("row", tmp_path, settings)
    assert len(commands) == calls


@pytest.mark.long
def test_a_second_call_keeps_finished_rows_and_measures_the_missing_one(tmp_path):
    arguments = ["--repeats=1", f"--output={tmp_path}", "--only", "start-python"]
    assert run(*arguments).returncode == 0
    first = json.loads((tmp_path / "start-python.json").read_text())
    assert "start-python: measured before" in run(*arguments).stderr
    assert json.loads((tmp_path / "start-python.json").read_text()) == first
    assert "Start and end of a Python" in (tmp_path / "table.md").read_text()
    (tmp_path / "start-python.json").unlink()
    assert "1 of 1" in run(*arguments).stderr


def test_an_unknown_row_is_refused_with_the_known_ones(tmp_path, monkeypatch, capsys):
    words = ["run.py", "--only", "no-such-row", f"--output={tmp_path}"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        benchmarks_run.main()
    assert end.value.code == 2 and "the rows are train-synth-linear" in capsys.readouterr().err


def need_no_gpu():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")


def test_without_a_gpu_its_rows_end_with_one_line(monkeypatch, capsys):
    need_no_gpu()
    monkeypatch.setattr(sys, "argv", ["run.py", "--gpu"])
    assert benchmarks_run.main() == 0
    line = capsys.readouterr().out
    assert line == "TensorFlow finds no GPU here, so that nothing is measured on one.\n"


def test_a_row_on_a_gpu_says_what_is_elsewhere(settings):
    need_no_gpu()
    (row,) = [row for row in gpu.ROWS if row.name == "gpu-train-synth-nonlinear-64"]
    facts = measure(dataclasses.replace(row, series=row.series[:1]), settings)
    reason = facts["series"][0]["not_measured"]
    for what in ("data", "loop", "noise"):
        assert f"'{what}': '/job:localhost/replica:0/task:0/device:CPU:0'" in reason
