# SPDX-License-Identifier: Apache-2.0
import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile

import numpy as np
import pytest
import scipy.io
from download_support import offer, server  # noqa: F401

from vae_ortho_plugin.data import cars3d
from vae_ortho_plugin.data.files import download
from vae_ortho_plugin.data.files.download import DATA_SETS


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
