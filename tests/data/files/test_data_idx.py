# SPDX-License-Identifier: Apache-2.0
import gzip
import struct

import numpy as np
import pytest

from vae_ortho_plugin.data.files.mnist_files import read_idx
from vae_ortho_plugin.errors import InputError

ARRAY = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
CONTENT = b"\0\0\x08\x03" + struct.pack(">III", 4, 3, 2) + ARRAY.tobytes()


def written(tmp_path, content, name="images-idx3-ubyte"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content, name",
    [(CONTENT, "images-idx3-ubyte.gz"), (gzip.compress(CONTENT, mtime=0), "images-idx3-ubyte")],
    ids=["plain", "gzip"],
)
def test_the_content_decides_whether_a_file_is_gzip(tmp_path, name, content):
    array = read_idx(written(tmp_path, content, name), ARRAY.shape)
    np.testing.assert_array_equal(array, ARRAY)
    assert array.dtype == np.uint8


@pytest.mark.parametrize(
    "code, dtype",
    [(0x09, np.int8), (0x0B, np.int16), (0x0C, np.int32), (0x0D, np.float32), (0x0E, np.float64)],
)
def test_other_types_are_read_in_big_endian(tmp_path, code, dtype):
    values = np.array([-3, 0, 100], dtype)
    content = struct.pack(">BBBBI", 0, 0, code, 1, 3)
    content += values.astype(values.dtype.newbyteorder(">")).tobytes()
    array = read_idx(written(tmp_path, content))
    np.testing.assert_array_equal(array, values)
    assert array.dtype == dtype


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not an IDX file.*empty"),
        (b"\0\0\x08", "not an IDX file.*00 00 08"),
        (b"\x89PNG\r\n", "not an IDX file.*89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "not an IDX file"),
        (CONTENT[:9], "truncated within its header of 16 bytes"),
        (CONTENT[:-1], r"truncated.*24 bytes of shape \(4, 3, 2\), found 23"),
        (CONTENT + b"\0", r"too long; its header states 24 bytes of shape \(4, 3, 2\), found more"),
        (gzip.compress(CONTENT, mtime=0)[:-12], "damaged or truncated gzip"),
        (gzip.compress(CONTENT, mtime=0)[:-8] + bytes(8), "damaged or truncated gzip"),
        (b"\x1f\x8bno gzip at all", "damaged or truncated gzip"),
        (gzip.compress(CONTENT[:-1], mtime=0), "truncated.*found 23"),
        (gzip.compress(b"<html>", mtime=0), "not an IDX file.*3c 68 74 6d"),
    ],
)
def test_a_broken_file_is_named_with_what_was_found(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_another_array_than_asked_for_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected .*\(5, 3, 2\), found uint8 .*\(4, 3, 2\)"):
        read_idx(written(tmp_path, CONTENT), (5, 3, 2))
    content = struct.pack(">BBBBI", 0, 0, 0x0D, 1, 1) + bytes(4)
    with pytest.raises(InputError, match=r"expected unsigned bytes.*found float32"):
        read_idx(written(tmp_path, content), (1,))


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be read.*directory"):
        read_idx(tmp_path)
