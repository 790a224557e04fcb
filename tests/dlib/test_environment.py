# SPDX-License-Identifier: Apache-2.0
"""Surroundings in which TensorFlow, Keras or the scripts cannot work: one message each."""

import os
import subprocess
import sys

import pytest

from vae_ortho_plugin.dlib import script
from vae_ortho_plugin.study.run.reproduce import dlib_script


def test_keras_with_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    assert script.unusable().startswith("KERAS_BACKEND = 'no_such_backend'")


@pytest.mark.parametrize("backend", ["", "tensorflow", "numpy"])
def test_keras_with_an_installed_backend_is_usable(monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert script.unusable() is None


def test_a_deleted_current_directory_is_named(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert script.unusable_for_scripts().startswith("The current directory was deleted")
    monkeypatch.chdir(tmp_path)  # what monkeypatch goes back from must exist
    assert script.unusable_for_scripts() is None


@pytest.mark.parametrize(
    "variables, shown",
    [
        ({"KERAS_BACKEND": "no_such_backend"}, "KERAS_BACKEND = 'no_such_backend' in the"),
        ({"PYTHONOPTIMIZE": "2"}, "PYTHONOPTIMIZE=2"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0"}, "for ascii, because of LC_ALL, LANG or PYTHONUTF8"),
    ],
)
def test_a_script_says_in_one_line_which_variable_it_is(tmp_path, variables, shown):
    directory = tmp_path / "für"
    directory.mkdir()
    process = run(directory, [dlib_script("dlib_train")], **variables)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith("dlib_train: ") and shown in line
    program = (
        "from vae_ortho_plugin.dlib.console_scripts import evaluate\nraise SystemExit(evaluate())"
    )
    process = run(directory, ["-c", program], **variables)
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: ") and shown in line


def test_the_locale_c_is_usable_where_all_names_are_ascii(tmp_path):
    program = "from vae_ortho_plugin.dlib import script\nprint(script.unusable_for_scripts())"
    process = run(tmp_path, ["-c", program], LC_ALL="C", PYTHONUTF8="0")
    assert process.stdout == "None\n"


def test_an_import_of_dlib_says_which_variable_it_is(tmp_path):
    process = run(tmp_path, ["-c", "import disentanglement_lib"], PYTHONOPTIMIZE="2")
    assert process.stderr.splitlines()[-1].startswith("ImportError: Python runs without docstrings")


def run(cwd, arguments, **variables):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        # Files compiled without docstrings would stay beside the packages'.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )
