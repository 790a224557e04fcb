# SPDX-License-Identifier: Apache-2.0
"""Files that state more than they hold, carry pickles or markup, or are not what was written."""

import gzip
import io
import pickle
import subprocess
import zipfile

import numpy as np
import pytest
from study_output import add_run

from vae_ortho_plugin import files
from vae_ortho_plugin.arrays import reading
from vae_ortho_plugin.data import smallnorb
from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.mnist_files import read_idx
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import SYNTH_LINEAR_64, Experiment, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report.document import to_html
from vae_ortho_plugin.study.report.finished import read_finished

# More than any machine's address space, so that taking memory for them fails at once.
HUGE = 2**31 - 1


IDX = b"\0\0\x08\x03" + np.array([HUGE] * 3, ">u4").tobytes() + b"1234"
NORB = np.array([0x1E3D4C55, 3, HUGE, HUGE, HUGE], "<i4").tobytes() + b"1234"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "read"), [(IDX, read_idx), (NORB, smallnorb.read_matrix)])
def test_a_header_that_states_more_than_the_file_takes_no_memory(tmp_path, content, read, packed):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match="its header states 9,903,520,"):
        read(path)


def npz_of(path, header, content, compression):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", file.getvalue() + content)


@pytest.mark.parametrize(
    ("compression", "fortran", "shape"),
    [
        (zipfile.ZIP_STORED, False, (HUGE, HUGE)),
        (zipfile.ZIP_DEFLATED, True, (HUGE, HUGE)),
        (zipfile.ZIP_STORED, True, (-1,)),
        (zipfile.ZIP_DEFLATED, False, (5,)),
    ],
)
def test_an_npy_header_that_states_more_than_the_file_takes_no_memory(
    tmp_path, compression, fortran, shape
):
    path = tmp_path / "data.npz"
    header = {"descr": "|u1", "fortran_order": fortran, "shape": shape}
    npz_of(path, header, b"1234", compression)
    with pytest.raises(InputError, match=r"data.npz: damaged .*more than the file holds"):
        npz.large_array(path, "a data set", "a")
    more = "more than the file holds"
    with pytest.raises(InputError, match=more), npz.opened(path, "a data set") as archive:
        npz.small_array(archive, "a")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (24, (2**31 + 200).to_bytes(4, "little"), "more than the file holds"),  # uncompressed size
        (10, b"\x09", "compression method is not supported"),  # of Windows, for large files
        (8, b"\1", "is encrypted"),
    ],
)
def test_a_zip_entry_that_cannot_be_unpacked_is_named_and_takes_no_memory(
    tmp_path, place, value, message
):
    path = tmp_path / "data.npz"
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**31,)}
    npz_of(path, header, b"1234", zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + place : entry + place + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"data.npz: damaged .*{message}"):
        npz.large_array(path, "a data set", "a")
    with pytest.raises(InputError, match=f"data.npz is damaged .*{message}"):
        reading.array(str(path), "means")


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def test_arrays_of_python_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "data.npz"
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    npz_of(path, header, pickle.dumps(np.array([Trap()], object)), zipfile.ZIP_STORED)
    objects = "data.npz: a is an array of Python objects"
    with pytest.raises(InputError, match=objects):
        npz.large_array(path, "a data set", "a")
    with pytest.raises(InputError, match=objects), npz.opened(path, "a data set") as archive:
        npz.small_array(archive, "a")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "| a |\n|---|\n| <b onclick='alert(1)'>b</b> |",
        "[a](JaVaScript:alert(1))",
        "[a](java&#115;cript:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "<javascript:alert(1)>",
        "## <script>alert(1)</script>",
    ],
)
def test_markup_in_the_texts_of_a_report_stays_text(tmp_path, text):
    page = to_html("title", f"# title\n\n{text}\n", ResultsFolder(tmp_path)).partition("<body>")[2]
    for active in ("<script", "<img", "<b ", "javascript:", "Script:", "data:text", "&#115;"):
        assert active not in page.replace("&lt;javascript:", "")


def test_a_report_embeds_no_file_from_outside_its_folder(tmp_path):
    (tmp_path / "secret.csv").write_text("a,b")
    page = to_html("t", "# t\n\n[x](../secret.csv)\n", ResultsFolder(tmp_path / "results"))
    assert 'href="../secret.csv"' in page


def test_sealed_files_are_checked_as_sha256sum_checks_them(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/a b").write_bytes(b"content")
    (tmp_path / "left out").write_bytes(b"1")
    files.seal(tmp_path, without=[tmp_path / "left out"])
    files.check_seal(tmp_path)
    command = ["sha256sum", "--check", "--strict", files.SUMS]
    assert subprocess.check_output(command, cwd=tmp_path) == b"below/a b: OK\n"
    (tmp_path / "left out").write_bytes(b"2")
    files.check_seal(tmp_path)
    (tmp_path / "below/a b").write_bytes(b"contenT")
    files.check_seal(tmp_path, "other/*")
    with pytest.raises(InputError, match="below/a b is damaged.* Make .* again"):
        files.check_seal(tmp_path, "below/*")
    (tmp_path / "below/a b").unlink()
    for _ in range(2):
        with pytest.raises(InputError, match="below/a b is damaged"):
            files.check_seal(tmp_path)
        (tmp_path / "below/a b").mkdir(exist_ok=True)
    (tmp_path / files.SUMS).write_text("\n")  # its line deleted, as the message says
    files.check_seal(tmp_path)


@pytest.mark.parametrize("damaged", ["facts", "training_results", "metric"])
def test_a_changed_digit_in_a_finished_run_is_found(tmp_path, damaged):
    run = Run(Experiment(SYNTH_LINEAR_64, "beta_vae"), 0)
    add_run(tmp_path, run, dto=0.25)
    folder = ResultsFolder(tmp_path)
    found = folder.run(run)
    files.seal(found.path)
    assert read_finished(folder, [run.experiment])[0].metric("dto") == 0.25
    path = found.metric("dto") if damaged == "metric" else getattr(found, damaged)
    path.write_text(path.read_text().replace("5", "6", 1))
    with pytest.raises(InputError, match=f"{path} is damaged"):
        read_finished(folder, [run.experiment])


def test_a_directory_that_was_moved_aside_gets_its_name_back(tmp_path):
    directory = tmp_path / "model"
    (tmp_path / "model.replaced").mkdir()
    files.restore_replaced(directory)
    assert directory.is_dir()
    (tmp_path / "model.replaced").mkdir()
    files.restore_replaced(directory)
    assert (tmp_path / "model.replaced").is_dir()
