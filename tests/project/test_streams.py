# SPDX-License-Identifier: Apache-2.0
"""What a process prints goes to a closed terminal or pipe, or to a full disk."""

import os
import subprocess
import sys

import pytest

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


def unwritable(target):
    """A descriptor of '/dev/full', or of 'a closed pipe'."""
    if target != "a closed pipe":
        return os.open(target, os.O_WRONLY)
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("target", ["a closed pipe", "/dev/full"])
def test_streams_that_cannot_be_written_change_nothing(tmp_path, target):
    writer = unwritable(target)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PRINTS], cwd=tmp_path, stdout=writer, stderr=writer, check=False
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "done").exists()


def test_a_stream_that_is_closed_from_the_start_is_no_file_of_the_process(tmp_path):
    opens = f"{PRINTS}\nassert Path('done').open().fileno() > 2\nprint('a line', file=sys.stderr)"
    script = '"$0" -c "$1" >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, opens], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "done").read_bytes() == b""


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("a closed pipe", 141, ""),  # as other programs under `| head`
        ("/dev/full", 1, "error: the output cannot be written: No space left on device\n"),
    ],
)
def test_results_that_cannot_be_printed_are_no_success(target, status, message):
    writer = unwritable(target)
    code = "from vae_ortho_plugin.dlib import console_scripts as c; raise SystemExit(c.study())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, "--list"], stdout=writer, stderr=subprocess.PIPE, check=False
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr.decode()) == (status, message)
