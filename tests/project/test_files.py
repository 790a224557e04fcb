# SPDX-License-Identifier: Apache-2.0
"""Files and directories that are written through links, to devices and to pipes."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from vae_ortho_plugin import files
from vae_ortho_plugin.dlib.steps import output_directory
from vae_ortho_plugin.errors import InputError


def write_model(path, text, overwrite=False):
    with output_directory.unfinished(str(path), overwrite) as partial:
        os.mkdir(partial)
        with open(os.path.join(partial, "weights"), "w") as file:
            file.write(text)


def test_a_file_is_written_through_links_whether_it_is_there_or_not(tmp_path):
    real, link = tmp_path / "scratch" / "result.json", tmp_path / "result.json"
    link.symlink_to("scratch/result.json")
    (tmp_path / "second").symlink_to(link)
    for path, text in ((link, "1"), (link, "2"), (tmp_path / "second", "3")):
        files.write_text(path, text)
        assert path.is_symlink() and real.read_text() == text
        assert [child.name for child in real.parent.iterdir()] == ["result.json"]


def test_a_device_stays_a_device(tmp_path):
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path in (link, files.Path("/dev/null")):
        files.write_text(path, "text")
        assert path.is_char_device()


def test_a_reader_of_a_pipe_gets_the_text(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    files.write_text(pipe, "text")
    reader.join()
    assert read == ["text"] and pipe.is_fifo()


def test_the_standard_output_gets_the_text_by_its_name(tmp_path):
    program = (
        "import sys; from pathlib import Path; from vae_ortho_plugin import files;"
        "print('before'); files.write_text(Path('/dev/stdout'), 'text\\n'); print('after')"
    )
    # A file, which would be replaced; a pipe cannot be.
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\ntext\nafter\n"


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="a is a link that leads back to itself"):
        files.write_text(tmp_path / "a", "text")


def test_a_directory_is_written_through_a_link_as_often_as_it_is_asked_for(tmp_path):
    real, link = tmp_path / "scratch" / "m", tmp_path / "m"
    link.symlink_to(real)
    for text in "12":
        write_model(link, text, overwrite=True)
        assert link.is_symlink() and (real / "weights").read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "scratch"]
    assert [path.name for path in real.parent.iterdir()] == ["m"]


def test_two_names_of_a_directory_have_one_lock(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "m").symlink_to("scratch/m")
    with (
        output_directory.locked(str(tmp_path / "scratch" / "m")),
        pytest.raises(InputError, match="Another process is at work"),
        output_directory.locked(str(tmp_path / "m")),
    ):
        pass


def test_a_missing_right_is_explained_for_what_a_step_writes_alone(tmp_path):
    for path, error in (
        (tmp_path / "m.unfinished/weights", InputError),
        (tmp_path, InputError),
        (tmp_path / "data.npz", PermissionError),
        ("/other/data.npz", PermissionError),
    ):
        with (
            pytest.raises(error, match="Permission denied"),
            output_directory.unfinished(str(tmp_path / "m"), False),
        ):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
    assert list(tmp_path.iterdir()) == []


def test_the_current_directory_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path / "m")
    write_model(".", "new", overwrite=True)
    assert (tmp_path / "m" / "weights").read_text() == "new"


def test_the_root_of_a_file_system_is_refused_before_anything_is_written():
    with pytest.raises(InputError, match="the root of a file system"):
        write_model("/proc", "new", overwrite=True)
