# SPDX-License-Identifier: Apache-2.0
"""Arrays out of npy and npz files. Nothing is ever unpickled."""

import os
import zipfile
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.errors import InputError, did_you_mean


def array(path: str, *names: str) -> np.ndarray:
    """The array of a npy file, mapped into memory, or one of these names of a npz file.

    The first name is the option that the file is given with. InputError if the file cannot be read, or holds Python
    objects or none of these arrays.
    """
    where = f"--{names[0]} {path}"
    remedy = "Save the array with NumPy: np.save(path, array)."
    try:
        with open(path, "rb") as file:
            start = file.read(6)
        if start[:4] == b"PK\x03\x04":
            return _member(where, path, names)
        if start == b"\x93NUMPY":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        raise InputError(f"{where} is not a npy or npz file. {remedy}")
    except FileNotFoundError as error:
        folder = Path(path).parent
        near = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        raise InputError(
            f"{where}: there is no such file (in {os.getcwd()}).{did_you_mean(Path(path).name, near)}"
        ) from error
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error.strerror or error}).") from error
    except (OverflowError, *npz.DAMAGED) as error:
        if isinstance(error, InputError):
            raise
        if any(word in str(error) for word in ("pickle", "Object arrays", "Python objects")):
            raise InputError(
                f"{where} holds Python objects, which are never loaded, because a pickle can run any "
                "program. Save an array of numbers: np.save(path, np.asarray(array, dtype=float))."
            ) from error
        raise InputError(f"{where} is damaged or truncated ({error}). Save it again.") from error


def _member(where: str, path: str, names: tuple[str, ...]) -> np.ndarray:
    """The array of a npz file that has one of these names, or its only one."""
    with zipfile.ZipFile(path) as archive:
        # A file that torch.save wrote is a zip archive, too, without npy files in it.
        there = [one.removesuffix(".npy") for one in archive.namelist() if one.endswith(".npy")]
        found = [name for name in names if name in there][:1] or there
        if len(found) != 1:
            raise InputError(
                f"{where} needs an array called {names[0]!r}, or one array only; it has "
                f"{', '.join(there) or 'none'}. Save it with np.savez(path, {names[0]}=array)."
            )
        return npz.small_array(archive, found[0])
