# SPDX-License-Identifier: Apache-2.0
"""Surroundings in which TensorFlow, Keras or the scripts cannot work: one message each."""

import pytest
from processes import run_python

from vae_ortho_plugin.dlib import console_scripts
from vae_ortho_plugin.study.run.reproduce import dlib_script


@pytest.mark.parametrize(
    ("backend", "usable"),
    [("", True), ("tensorflow", True), ("numpy", True), ("no_such_backend", False)],
)
def test_keras_needs_an_installed_backend(monkeypatch, backend, usable):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert (console_scripts.unusable() is None) == usable


def test_a_deleted_current_directory_is_named(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert console_scripts.unusable_for_scripts().startswith("The current directory was deleted")
    monkeypatch.chdir(tmp_path)  # what monkeypatch goes back from must exist
    assert console_scripts.unusable_for_scripts() is None


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
    of_plugin = (
        "from vae_ortho_plugin.dlib import console_scripts as c; raise SystemExit(c.study())"
    )
    for arguments, status, start in (
        ([dlib_script("dlib_train")], 1, "dlib_train: "),
        (["-c", of_plugin], 2, "error: "),
    ):
        process = run(directory, arguments, **variables)
        (line,) = process.stderr.splitlines()
        assert process.returncode == status and line.startswith(start) and shown in line


def test_other_programs_get_an_import_error_and_any_locale_is_usable_for_ascii(tmp_path):
    program = (
        "from vae_ortho_plugin.dlib import console_scripts\n"
        "assert console_scripts.unusable_for_scripts().startswith('Python runs without docstrings')\n"
        "import disentanglement_lib"
    )
    variables = {"PYTHONOPTIMIZE": "2", "LC_ALL": "C", "PYTHONUTF8": "0"}
    process = run(tmp_path, ["-c", program], **variables)
    assert process.stderr.splitlines()[-1].startswith("ImportError: Python runs without docstrings")


def run(cwd, arguments, **variables):
    # Files compiled without docstrings would stay beside the packages'.
    return run_python(*arguments, cwd=cwd, PYTHONDONTWRITEBYTECODE="1", **variables)
