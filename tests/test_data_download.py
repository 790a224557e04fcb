# SPDX-License-Identifier: Apache-2.0
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
import pooch
import pytest
import scipy.io
from disentanglement_lib.data.ground_truth import named_data

from vae_ortho_plugin import files
from vae_ortho_plugin.data import (
    cars3d,
    catalog,
    download,
    dsprites,
    mnist_files,
    render_dsprites,
)
from vae_ortho_plugin.data.catalog import DATA_SETS
from vae_ortho_plugin.data.location import VARIABLE
from vae_ortho_plugin.errors import InputError

SHAPES = {"train-images-idx3-ubyte": (60, 28, 28), "t10k-labels-idx1-ubyte": (10,)}
# Content that does not compress, so that it can be cut in the middle of its numbers.
ARRAYS = {
    file: np.random.RandomState(0).randint(256, size=shape, dtype=np.uint8)
    for file, shape in SHAPES.items()
}
IMAGES = "train-images-idx3-ubyte"


def idx_gzip(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (URL path -> content), with ranges, and notes what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = {}, []
        self.cut_after, self.ranges = None, True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


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


def offer(monkeypatch, **data_sets):
    """Makes the command know these data sets alone."""
    known = {
        name: catalog.DataSet(remotes, "1 MB", "MIT", "https://example.org", "put it into {root}")
        for name, remotes in data_sets.items()
    }
    for module in (catalog, download):
        monkeypatch.setattr(module, "DATA_SETS", known)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves small files of MNIST at two mirrors, /a and /b; the data root is `tmp_path`."""
    monkeypatch.setattr(mnist_files, "SHAPES", SHAPES)
    sums = {file: int(array.sum()) for file, array in ARRAYS.items()}
    monkeypatch.setitem(mnist_files.SUMS, "mnist", sums)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    hashes = {file: hashlib.sha256(idx_gzip(array)).hexdigest() for file, array in ARRAYS.items()}
    monkeypatch.setitem(catalog._IDX_SHA256, "mnist", hashes)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        server.files = {
            f"/{mirror}/{file}.gz": idx_gzip(a) for mirror in "ab" for file, a in ARRAYS.items()
        }
        remotes = catalog._idx_files("mnist", f"{server.url}/a", f"{server.url}/b")
        offer(monkeypatch, mnist=remotes)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def stored(tmp_path):
    return sorted(path.name for path in (tmp_path / "mnist").iterdir())


def test_files_arrive_at_their_places_under_the_data_root(server, tmp_path):
    assert download.main(["mnist"]) == 0
    assert stored(tmp_path) == sorted(f"{file}.gz" for file in SHAPES)
    for file, array in ARRAYS.items():
        path = mnist_files.find_file(tmp_path / "mnist", file)
        np.testing.assert_array_equal(mnist_files.read_idx(path), array)


def test_good_files_are_not_fetched_again(server, capsys):
    download.main([])
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
    np.testing.assert_array_equal(
        mnist_files.read_idx(tmp_path / "mnist" / f"{IMAGES}.gz"), ARRAYS[IMAGES]
    )


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
    assert stored(tmp_path) == sorted(f"{file}.gz" for file in SHAPES)


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    server.cut_after = 1000
    download.main([])
    server.cut_after, server.ranges = None, False
    assert download.main([]) == 0
    np.testing.assert_array_equal(
        mnist_files.read_idx(tmp_path / "mnist" / f"{IMAGES}.gz"), ARRAYS[IMAGES]
    )


@pytest.mark.parametrize("length", [100, 10**6])
def test_a_wrong_part_is_thrown_away_and_fetched_anew(server, tmp_path, length):
    server.cut_after = 1000
    download.main([])
    for part in (tmp_path / "mnist").glob(f"{IMAGES}.gz.*.part"):
        part.write_bytes(bytes(length))
    server.cut_after = None
    assert download.main([]) == 0
    np.testing.assert_array_equal(
        mnist_files.read_idx(tmp_path / "mnist" / f"{IMAGES}.gz"), ARRAYS[IMAGES]
    )


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
        patch.setattr(pooch.core, "hash_matches", interrupt)
        assert download.main([]) == 130
    (part,) = stored(tmp_path)
    assert part.startswith(f"{IMAGES}.gz.") and part.endswith(".part")
    server.requests.clear()
    assert download.main([]) == 0
    size = len(server.files[f"/a/{IMAGES}.gz"])
    assert server.requests[0] == (f"/a/{IMAGES}.gz", f"bytes={size}-")


def test_two_processes_do_not_download_one_file_at_once(server, tmp_path, capsys):
    lock = tmp_path / "mnist" / f"{IMAGES}.gz.lock"
    with files.locked(lock, "the test"):
        assert download.main([]) == 1
    assert "Another process is at work" in capsys.readouterr().err
    assert server.requests == []


def test_the_second_address_serves_where_the_first_is_wrong_or_gone(server, tmp_path):
    server.files[f"/a/{IMAGES}.gz"] = b"moved"
    del server.files["/a/t10k-labels-idx1-ubyte.gz"]
    assert download.main([]) == 0
    assert stored(tmp_path) == sorted(f"{file}.gz" for file in SHAPES)


def test_a_damaged_file_is_replaced(server, tmp_path, capsys):
    download.main([])
    path = tmp_path / "mnist" / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert download.main([]) == 0
    assert f"{path}: damaged or truncated" in capsys.readouterr().out
    np.testing.assert_array_equal(mnist_files.read_idx(path), ARRAYS[IMAGES])


def test_a_damaged_plain_file_gives_way_to_the_fetched_one(server, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / IMAGES).write_text("damaged")
    assert download.main([]) == 0
    assert mnist_files.find_file(tmp_path / "mnist", IMAGES).suffix == ".gz"


def test_a_rendered_stand_in_is_replaced_by_the_official_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(dsprites, "SIZES", (1, 2, 1, 2, 2, 2))
    path = tmp_path / dsprites.FILE
    render_dsprites.render(path, dsprites.SIZES)
    content = bytearray(path.read_bytes())
    comment = content.rindex(dsprites.STAND_IN.encode())
    content[comment : comment + 8] = b"official"
    server.files["/dsprites.npz"] = bytes(content)
    known_hash = "md5:" + hashlib.md5(content).hexdigest()
    remote = catalog.Remote(
        dsprites.FILE, (f"{server.url}/dsprites.npz",), known_hash, catalog._check_dsprites
    )
    offer(monkeypatch, dsprites=(remote,))
    assert download.main(["dsprites"]) == 0
    assert path.read_bytes() == bytes(content)


def test_a_failure_says_what_can_be_done_by_hand(server, tmp_path, capsys):
    server.files.clear()
    assert download.main([]) == 1
    assert f"By hand: put it into {tmp_path} (https://example.org)" in capsys.readouterr().err


def remote_at(server, remote, content):
    """The remote with its address at the server and the hash of the content served there."""
    server.files["/archive"] = content
    return dataclasses.replace(
        remote, urls=(f"{server.url}/archive",), known_hash=hashlib.sha256(content).hexdigest()
    )


def test_packed_files_are_unpacked_and_checked(server, tmp_path, monkeypatch):
    matrix = struct.pack("<5i", 507333716, 1, 3, 1, 1) + struct.pack("<3i", 7, 8, 9)
    (remote,) = (
        remote for remote in DATA_SETS["smallnorb"].files if "training-cat" in str(remote.path)
    )
    offer(monkeypatch, smallnorb=(remote_at(server, remote, gzip.compress(matrix)),))
    assert download.main(["smallnorb"]) == 0
    (path,) = (tmp_path / "small_norb").iterdir()
    assert path == tmp_path / remote.path and path.read_bytes() == matrix
    server.requests.clear()
    assert download.main(["smallnorb"]) == 0 and server.requests == []


@pytest.fixture
def cars(monkeypatch):
    """A tar file of two cars, as the published one: with other folders and a list beside them."""
    monkeypatch.setattr(cars3d, "SIZES", (2, 3, 2))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in ("cars/car_001_mesh.mat", "cars/car_002_mesh.mat", "sprites/sprite.mat"):
            file = io.BytesIO()
            scipy.io.savemat(file, {"im": np.zeros((64, 64, 3, 3, 2), np.uint8)})
            add(tar, f"data/{name}", file.getvalue())
        add(tar, "data/cars/list.txt", b"car_001_mesh")
    return stream.getvalue()


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def test_the_cars_are_taken_out_of_their_archive(server, tmp_path, monkeypatch, cars):
    (remote,) = DATA_SETS["cars3d"].files
    offer(monkeypatch, cars3d=(remote_at(server, remote, cars),))
    # A folder that is there and does not hold all of them, as dlib_download_data skips it.
    (tmp_path / "cars").mkdir()
    (tmp_path / "cars" / "car_001_mesh.mat").write_bytes(b"")
    assert download.main(["cars3d"]) == 0
    names = sorted(path.name for path in (tmp_path / "cars").iterdir())
    assert names == ["car_001_mesh.mat", "car_002_mesh.mat"]
    cars3d.check_folder(tmp_path / "cars")


def test_an_archive_that_the_user_has_brought_is_unpacked_and_kept(
    server, tmp_path, monkeypatch, cars
):
    (remote,) = DATA_SETS["cars3d"].files
    offer(monkeypatch, cars3d=(remote_at(server, remote, cars),))
    (tmp_path / "cars").mkdir()
    (tmp_path / remote.archive).write_bytes(cars)
    assert download.main(["cars3d"]) == 0
    assert server.requests == []
    assert (tmp_path / remote.archive).exists() and len(cars3d.find_files(tmp_path / "cars")) == 2


def test_every_data_set_of_dlib_has_a_command():
    with pytest.raises(InputError) as error:
        named_data.get_named_ground_truth_data("none")
    known = set(str(error.value).partition("Known: ")[2].partition(".")[0].split(", "))
    assert {"mpi3d_real", "cars3d"} < known
    for name in known - {"dummy_data", "synth_linear", "synth_nonlinear"}:
        assert catalog.needed(name)
    assert catalog.needed("scream_dsprites") == ["dsprites", "scream"]
    assert catalog.needed("all") == list(DATA_SETS)


def test_the_list_has_sizes_licences_and_places(tmp_path, capsys):
    assert download.main(["--list", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out
    assert "shapes3d: 268 MB; licence: Apache 2.0; https://github.com/google-deepmind" in lines
    assert f"{tmp_path / 'mpi3d_toy/mpi3d_toy.npz'}: not there" in lines
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_data_set_is_answered_with_the_known_ones(tmp_path, capsys):
    assert download.main(["--root", str(tmp_path), "cifar"]) == 1
    error = capsys.readouterr().err
    assert "'cifar'" in error and "mnist, fashion_mnist, dsprites" in error
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_cannot_be_written_is_named(server, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert download.main(["--root", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_command_explains_itself_without_tensorflow():
    check = "import sys; from vae_ortho_plugin.data import download, render_dsprites; "
    check += "sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
    result = subprocess.run(
        [sys.executable, "-m", "vae_ortho_plugin.data.download", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "fashion_mnist" in result.stdout and VARIABLE in result.stdout
