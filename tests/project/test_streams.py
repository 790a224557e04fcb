# SPDX-License-Identifier: Apache-2.0
"""What a process prints goes to a closed terminal or pipe, or to a full disk."""

import os
import subprocess
import sys

import pytest

from vae_ortho_plugin.engine import progress

PRINTS = """
import sys
from pathlib import Path
from vae_ortho_plugin.files import streams
from vae_ortho_plugin.engine import progress
streams.drop_what_cannot_be_written("stdout", "stderr")
for _ in range(2000):
    progress.say("a line")
    print("a line", flush=True)
Path("done").touch()
"""


@pytest.fixture(params=["a closed pipe", "/dev/full"])
def unwritable(request):
    """A descriptor of it, and its name."""
    if request.param == "/dev/full":
        writer = os.open(request.param, os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    yield writer, request.param
    os.close(writer)


def test_streams_that_cannot_be_written_change_nothing(tmp_path, unwritable):
    streams = {"stdout": unwritable[0], "stderr": unwritable[0]}
    subprocess.run([sys.executable, "-c", PRINTS], cwd=tmp_path, check=True, **streams)
    assert (tmp_path / "done").exists()


def test_a_stream_that_is_closed_from_the_start_is_no_file_of_the_process(tmp_path):
    opens = f"{PRINTS}\nassert Path('done').open().fileno() > 2\nprint('a line', file=sys.stderr)"
    command = ["sh", "-c", '"$0" -c "$1" >&- 2>&-', sys.executable, opens]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "done").read_bytes() == b""


def test_without_standard_error_the_plugins_lines_do_not_go_to_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    progress.say("a line")
    assert capsys.readouterr().out == ""


def test_results_that_cannot_be_printed_are_no_success(unwritable):
    writer, name = unwritable
    code = "from vae_ortho_plugin.dlib import console_scripts as c; raise SystemExit(c.study())"
    command = [sys.executable, "-c", code, "--list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    expected = (141, "")  # as other programs under `| head`
    if name == "/dev/full":
        expected = (1, "error: the output cannot be written: No space left on device\n")
    assert (done.returncode, done.stderr) == expected
