# SPDX-License-Identifier: Apache-2.0
import gzip
import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import named_data
from download_support import ARRAYS, SHAPES, idx_gzip, offer, server  # noqa: F401

from vae_ortho_plugin.data import dsprites, render_dsprites
from vae_ortho_plugin.data.files import download, mnist_files, remote
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.locks import locked

IMAGES = "train-images-idx3-ubyte"


def stored(tmp_path):
    return sorted(path.name for path in (tmp_path / "mnist").iterdir())


def check_all_arrived(tmp_path):
    assert stored(tmp_path) == sorted(f"{file}.gz" for file in SHAPES)
    for file, array in ARRAYS.items():
        np.testing.assert_array_equal(
            mnist_files.read_idx(tmp_path / "mnist" / f"{file}.gz"), array
        )


def test_files_arrive_at_their_places_and_are_not_fetched_again(server, tmp_path, capsys):
    assert download.main(["mnist"]) == 0
    check_all_arrived(tmp_path)
    server.requests.clear()
    assert download.main([]) == 0
    assert server.requests == []
    assert capsys.readouterr().out.count("already there") == len(SHAPES)


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    size = len(server.files[f"/a/{IMAGES}.gz"])
    server.cut_after = size // 2 + 1
    assert download.main([]) == 0
    assert server.requests[:2] == [
        (f"/a/{IMAGES}.gz", None),
        (f"/a/{IMAGES}.gz", f"bytes={size // 2 + 1}-"),
    ]
    check_all_arrived(tmp_path)


def test_the_next_call_goes_on_where_the_last_one_gave_up(server, tmp_path, capsys):
    server.cut_after = 1000
    assert download.main([]) == 1
    message = capsys.readouterr().err
    assert f"{server.url}/a/{IMAGES}.gz: the connection broke off 5 times" in message
    assert "same command again" in message
    assert not (tmp_path / "mnist" / f"{IMAGES}.gz").exists()
    assert all(name.endswith(".part") for name in stored(tmp_path))
    server.cut_after = None
    server.requests.clear()
    assert download.main([]) == 0
    assert server.requests[0] == (f"/a/{IMAGES}.gz", "bytes=5000-")
    check_all_arrived(tmp_path)


@pytest.mark.parametrize("length, ranges", [(1000, False), (100, True), (10**6, True)])
def test_a_part_that_cannot_be_used_is_fetched_anew(server, tmp_path, length, ranges):
    server.cut_after = 1000
    download.main([])
    for part in (tmp_path / "mnist").glob(f"{IMAGES}.gz.*.part"):
        part.write_bytes(bytes(length))
    server.cut_after, server.ranges = None, ranges
    assert download.main([]) == 0
    check_all_arrived(tmp_path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"<html>Please log in</html>", "not an IDX file"),
        (idx_gzip(ARRAYS[IMAGES][:-1]), r"found uint8 of shape (59, 28, 28)"),
        (idx_gzip(ARRAYS[IMAGES] // 2), "expected the sum"),
        (idx_gzip(ARRAYS[IMAGES])[:-9], "damaged or truncated gzip"),
    ],
)
def test_wrong_content_never_gets_the_files_name(server, tmp_path, capsys, content, message):
    server.files |= {f"/{mirror}/{IMAGES}.gz": content for mirror in "ab"}
    assert download.main([]) == 1
    error = capsys.readouterr().err
    assert error.count(message) == 2 and f"{server.url}/b/{IMAGES}.gz" in error
    assert list(tmp_path.iterdir()) == []


def test_the_same_numbers_in_another_file_are_not_the_published_file(server, tmp_path, capsys):
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, *SHAPES[IMAGES])
    recompressed = gzip.compress(header + ARRAYS[IMAGES].tobytes(), 1, mtime=1)
    server.files[f"/a/{IMAGES}.gz"] = recompressed
    assert download.main([]) == 0
    assert (tmp_path / "mnist" / f"{IMAGES}.gz").read_bytes() == server.files[f"/b/{IMAGES}.gz"]
    server.files[f"/b/{IMAGES}.gz"] = recompressed
    assert download.main(["--root", str(tmp_path / "other")]) == 1
    assert capsys.readouterr().err.count("does not match the known hash") == 2
    assert list((tmp_path / "other").iterdir()) == []


def test_a_process_that_ends_while_it_computes_the_hash_loses_nothing(
    server, tmp_path, monkeypatch
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote, "has_hash", interrupt)
        assert download.main([]) == 130
    (part,) = stored(tmp_path)
    assert part.startswith(f"{IMAGES}.gz.") and part.endswith(".part")
    server.requests.clear()
    assert download.main([]) == 0
    size = len(server.files[f"/a/{IMAGES}.gz"])
    assert server.requests[0] == (f"/a/{IMAGES}.gz", f"bytes={size}-")


def test_two_processes_do_not_download_one_file_at_once(server, tmp_path, capsys):
    lock = tmp_path / "mnist" / f"{IMAGES}.gz.lock"
    with locked(lock, "the test"):
        assert download.main([]) == 1
    assert "Another process is at work" in capsys.readouterr().err
    assert server.requests == []


def test_the_second_address_serves_where_the_first_is_wrong_or_gone(server, tmp_path):
    server.files[f"/a/{IMAGES}.gz"] = b"moved"
    del server.files["/a/t10k-labels-idx1-ubyte.gz"]
    assert download.main([]) == 0
    check_all_arrived(tmp_path)


def test_damaged_files_are_replaced_and_plain_ones_give_way(server, tmp_path, capsys):
    download.main([])
    path = tmp_path / "mnist" / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    plain = tmp_path / "mnist" / IMAGES
    plain.write_text("damaged")
    assert download.main([]) == 0
    assert f"{path}: damaged or truncated" in capsys.readouterr().out
    plain.unlink()
    check_all_arrived(tmp_path)


def test_a_rendered_file_is_replaced_by_the_official_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(dsprites, "SIZES", (1, 2, 1, 2, 2, 2))
    path = tmp_path / dsprites.FILE
    render_dsprites.render(path, dsprites.SIZES)
    content = bytearray(path.read_bytes())
    comment = content.rindex(dsprites.RENDERED.encode())
    content[comment : comment + 8] = b"official"
    server.files["/dsprites.npz"] = bytes(content)
    known_hash = "md5:" + hashlib.md5(content).hexdigest()
    url = f"{server.url}/dsprites.npz"
    official = remote.Remote(dsprites.FILE, (url,), known_hash, dsprites.check_published)
    offer(monkeypatch, dsprites=(official,))
    assert download.main(["dsprites"]) == 0
    assert path.read_bytes() == bytes(content)


def test_a_failure_says_what_can_be_done_by_hand(server, tmp_path, capsys):
    server.files.clear()
    assert download.main([]) == 1
    assert f"By hand: put it into {tmp_path} (https://example.org)" in capsys.readouterr().err


def test_every_data_set_of_dlib_has_a_command():
    with pytest.raises(InputError) as error:
        named_data.get_named_ground_truth_data("none")
    known = set(str(error.value).partition("Known: ")[2].partition(".")[0].split(", "))
    assert {"mpi3d_real", "cars3d"} < known
    made = {"correlated", "dummy_data", "image_folder", "npz", "synth_linear", "synth_nonlinear"}
    for name in known - made - {"abstract_dsprites"}:
        assert download.needed(name)
    assert download.needed("scream_dsprites") == ["dsprites", "scream"]
    assert download.needed("all") == list(download.DATA_SETS)


def test_the_list_has_sizes_licences_and_places(tmp_path, capsys):
    assert download.main(["--list", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out
    assert "shapes3d: 268 MB; licence: Apache 2.0; https://github.com/google-deepmind" in lines
    assert f"{tmp_path / 'mpi3d_toy/mpi3d_toy.npz'}: not there" in lines
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_data_set_and_a_root_that_cannot_be_written_are_named(tmp_path, capsys):
    assert download.main(["--root", str(tmp_path), "cifar"]) == 1
    error = capsys.readouterr().err
    assert "'cifar'" in error and "mnist, fashion_mnist, dsprites" in error
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert download.main(["--root", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_command_explains_itself_without_tensorflow():
    program = (
        "import sys; from vae_ortho_plugin.data import render_dsprites; "
        "from vae_ortho_plugin.data.files import download\n"
        "try: download.main(['--help'])\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "fashion_mnist" in result.stdout and VARIABLE in result.stdout
