# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_download_data against a server of this machine."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import struct
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest
import scipy.io
from data_files import idx_bytes

from vae_ortho_plugin.data import cars3d, dsprites, render_dsprites, smallnorb
from vae_ortho_plugin.data.files import download, mnist_files, remote
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.files.locks import locked

IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
SHAPES = {IMAGES: (60, 28, 28), LABELS: (10,)}
# Content that does not compress, so that it can be cut in the middle of its numbers.
ARRAYS = {
    file: np.random.RandomState(0).randint(256, size=shape, dtype=np.uint8)
    for file, shape in SHAPES.items()
}


def idx_gzip(array, level=9):
    return gzip.compress(idx_bytes(array), level, mtime=0)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (URL path -> content), with ranges, and notes what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = {}, []
        self.cut_after, self.ranges = None, True
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers["Range"]
        server.requests.append((self.path, asked))
        content = server.files.get(self.path)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if content is None:
            self.send_error(404)
        elif asked and server.ranges and start >= len(content):
            self.send_error(416)
        else:
            if not server.ranges:
                start = 0
            self.send_response(206 if asked and server.ranges else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content) if server.cut_after is None else start + server.cut_after
            self.wfile.write(content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves small files of MNIST at two mirrors, /a and /b; the data root is `tmp_path`."""
    monkeypatch.setattr(mnist_files, "SHAPES", SHAPES)
    facts = tuple(
        (int(array.sum()), hashlib.sha256(idx_gzip(array)).hexdigest()) for array in ARRAYS.values()
    )
    monkeypatch.setitem(mnist_files.PUBLISHED, "mnist", facts)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        server.files = {
            f"/{mirror}/{file}.gz": idx_gzip(a) for mirror in "ab" for file, a in ARRAYS.items()
        }
        offer(
            monkeypatch,
            "mnist",
            *mnist_files.remotes("mnist", *(f"{server.url}/{m}" for m in "ab")),
        )
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def offer(monkeypatch, name, *remotes):
    """Makes the command know this data set alone."""
    facts = "1 MB", "MIT", "https://example.org", "put it into {root}"
    monkeypatch.setattr(download, "DATA_SETS", {name: remote.Download(remotes, *facts)})


def stored(tmp_path):
    return sorted(path.name for path in (tmp_path / "mnist").iterdir())


def check_all_arrived(tmp_path):
    assert stored(tmp_path) == sorted(f"{file}.gz" for file in SHAPES)
    for file, array in ARRAYS.items():
        found = mnist_files.read_idx(tmp_path / "mnist" / f"{file}.gz")
        np.testing.assert_array_equal(found, array)


def test_files_arrive_at_their_places_and_are_not_fetched_again(server, tmp_path, capsys):
    assert download.main(["mnist"]) == 0
    check_all_arrived(tmp_path)
    server.requests.clear()
    assert download.main([]) == 0
    assert server.requests == []
    said = capsys.readouterr()
    assert said.out.count("already there") == len(SHAPES) and said.err == ""


def test_a_broken_connection_is_resumed_and_the_next_call_goes_on_where_the_last_one_gave_up(
    server, tmp_path, capsys
):
    server.cut_after = 1000
    assert download.main([]) == 1
    asked = [None, *(f"bytes={1000 * n}-" for n in range(1, 5))]
    assert server.requests[:5] == [(f"/a/{IMAGES}.gz", one) for one in asked]
    message = capsys.readouterr().err
    assert f"{server.url}/a/{IMAGES}.gz: the connection broke off 5 times" in message
    assert "same command again" in message
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
        (idx_gzip(ARRAYS[IMAGES] // 2), "expected the sum"),
        (idx_gzip(ARRAYS[IMAGES], 1), "does not match the known hash"),  # packed otherwise
        (None, "404"),
    ],
)
def test_wrong_content_never_gets_the_files_name(server, tmp_path, capsys, content, message):
    server.files[f"/a/{IMAGES}.gz"] = content
    assert download.main([]) == 0
    assert (tmp_path / f"mnist/{IMAGES}.gz").read_bytes() == server.files[f"/b/{IMAGES}.gz"]
    server.files[f"/b/{IMAGES}.gz"] = content
    other = tmp_path / "other"
    assert download.main(["--root", str(other)]) == 1
    error = capsys.readouterr().err
    assert error.count(message) == 2 and f"{server.url}/b/{IMAGES}.gz" in error
    assert f"By hand: put it into {other} (https://example.org)" in error
    assert list(other.iterdir()) == []


def test_a_process_that_ends_while_it_computes_the_hash_loses_nothing(
    server, tmp_path, monkeypatch
):
    def interrupt(*_):
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
    with locked(tmp_path / f"mnist/{IMAGES}.gz.lock", "the test"):
        assert download.main([]) == 1
    assert "Another process is at work" in capsys.readouterr().err
    assert server.requests == []


def test_damaged_files_are_replaced_and_plain_ones_give_way(server, tmp_path, capsys):
    download.main([])
    path, plain = tmp_path / f"mnist/{IMAGES}.gz", tmp_path / "mnist" / IMAGES
    path.write_bytes(path.read_bytes()[:-20])
    plain.write_text("damaged")
    assert download.main([]) == 0
    assert f"{path}: damaged or truncated" in capsys.readouterr().out
    plain.unlink()
    check_all_arrived(tmp_path)


def test_a_rendered_file_is_replaced_by_the_official_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(dsprites, "SIZES", (1, 2, 1, 2, 2, 2))
    path = tmp_path / dsprites.FILE
    render_dsprites.render(path, dsprites.SIZES)
    content = path.read_bytes().replace(dsprites.RENDERED[:8].encode(), b"official")
    server.files["/dsprites.npz"] = content
    known_hash = "md5:" + hashlib.md5(content).hexdigest()
    url = f"{server.url}/dsprites.npz"
    official = remote.Remote(dsprites.FILE, (url,), known_hash, dsprites.check_published)
    offer(monkeypatch, "dsprites", official)
    assert download.main(["dsprites"]) == 0
    assert path.read_bytes() == content


def offer_archive(server, monkeypatch, name, known, content):
    """Offers a file of the data set with its address at the server and the hash of this content."""
    server.files["/archive"] = content
    served = dataclasses.replace(
        known, urls=(f"{server.url}/archive",), known_hash=hashlib.sha256(content).hexdigest()
    )
    offer(monkeypatch, name, served)


def test_packed_files_are_unpacked_and_checked(server, tmp_path, monkeypatch):
    matrix = struct.pack("<5i", 507333716, 1, 3, 1, 1) + struct.pack("<3i", 7, 8, 9)
    known = smallnorb.DOWNLOAD.files[1]
    offer_archive(server, monkeypatch, "smallnorb", known, gzip.compress(matrix))
    assert download.main(["smallnorb"]) == 0
    (path,) = (tmp_path / "small_norb").iterdir()
    assert path == tmp_path / known.path and path.read_bytes() == matrix
    server.requests.clear()
    assert download.main(["smallnorb"]) == 0 and server.requests == []


def packed_cars():
    """A tar file of two cars, as the published one: with other folders and a list beside them."""
    car, stream = io.BytesIO(), io.BytesIO()
    scipy.io.savemat(car, {"im": np.zeros((64, 64, 3, 3, 2), np.uint8)})
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in ("cars/1.mat", "cars/2.mat", "sprites/sprite.mat", "cars/list.txt"):
            member = tarfile.TarInfo(f"data/{name}")
            member.size = len(car.getvalue())
            tar.addfile(member, io.BytesIO(car.getvalue()))
    return stream.getvalue()


@pytest.mark.parametrize("brought", [False, True])
def test_cars_are_taken_out_of_an_archive_which_stays_if_the_user_brought_it(
    server, tmp_path, monkeypatch, brought
):
    monkeypatch.setattr(cars3d, "SIZES", (2, 3, 2))
    content, known = packed_cars(), cars3d.DOWNLOAD.files[0]
    offer_archive(server, monkeypatch, "cars3d", known, content)
    # A folder that is there and does not hold all of them, as dlib_download_data skips it.
    (tmp_path / "cars").mkdir()
    (tmp_path / "cars/1.mat").write_bytes(b"")
    if brought:
        (tmp_path / known.archive).write_bytes(content)
    assert download.main(["cars3d"]) == 0
    assert len(server.requests) == (0 if brought else 1)
    expected = {"1.mat", "2.mat"} | ({known.archive.name} if brought else set())
    assert {path.name for path in (tmp_path / "cars").iterdir()} == expected
    assert cars3d.load_cars3d(tmp_path / "cars").sizes == (2, 3, 2)


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
