# SPDX-License-Identifier: Apache-2.0
"""Files of the large data sets in their published formats, whose images take no space on the disk."""

import io
import math
import struct
from pathlib import Path

import numpy as np


def write_npz(path: Path, key: str, shape: tuple[int, ...], end: bytes) -> None:
    """Writes an array of bytes as np.savez does, uncompressed.

    All bytes are 0 but those at its end. The archive's checksum is 0, too: it plays no role for a
    reader that maps the array.

    Args:
        shape: of the array.
        end: its last bytes.
    """
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    size = len(stream.getvalue()) + math.prod(shape)
    name = f"{key}.npy".encode()
    zip64 = struct.pack("<HHQQ", 1, 16, size, size)
    fields = struct.pack("<HHHHIII", 0, 0, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    local = b"PK\3\4" + struct.pack("<H", 45) + fields
    local += struct.pack("<HH", len(name), len(zip64)) + name + zip64
    central = b"PK\1\2" + struct.pack("<HH", 45, 45) + fields
    central += struct.pack("<HHHHHII", len(name), len(zip64), 0, 0, 0, 0, 0) + name + zip64
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(local + stream.getvalue())
        file.seek(math.prod(shape) - len(end), io.SEEK_CUR)
        file.write(end)
        begin = file.tell()
        file.write(central)
        file.write(
            b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, len(central), begin)
        )
        file.write(b"PK\6\7" + struct.pack("<IQI", 0, begin + len(central), 1))
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), 0xFFFFFFFF, 0))


def write_h5(path: Path, images: tuple[int, ...], labels: np.ndarray) -> None:
    """Writes 3dshapes.h5: images of one brightness in compressed chunks that are not stored.

    Args:
        images: shape of the images.
        labels: the factors of each, float64 [n, 6].
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", images, "u1", compression="gzip", fillvalue=7)
        file.create_dataset("labels", data=labels)
