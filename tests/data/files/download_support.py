# SPDX-License-Identifier: Apache-2.0
"""What test_data_download and test_data_archives share."""

import gzip
import hashlib
import http.server
import struct
import threading

import numpy as np
import pytest

from vae_ortho_plugin.data.files import download, mnist_files, remote
from vae_ortho_plugin.data.files.location import VARIABLE

SHAPES = {"train-images-idx3-ubyte": (60, 28, 28), "t10k-labels-idx1-ubyte": (10,)}


# Content that does not compress, so that it can be cut in the middle of its numbers.
ARRAYS = {
    file: np.random.RandomState(0).randint(256, size=shape, dtype=np.uint8)
    for file, shape in SHAPES.items()
}


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
        name: remote.Download(remotes, "1 MB", "MIT", "https://example.org", "put it into {root}")
        for name, remotes in data_sets.items()
    }
    monkeypatch.setattr(download, "DATA_SETS", known)


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
        remotes = mnist_files.remotes("mnist", f"{server.url}/a", f"{server.url}/b")
        offer(monkeypatch, mnist=remotes)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
