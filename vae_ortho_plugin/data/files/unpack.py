# SPDX-License-Identifier: Apache-2.0
"""Unpacks downloaded archives. Each file appears under its name when it is complete."""

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import written_beside

# Deflate, of gzip and zip files, packs at most this number of bytes into one.
MOST_PER_BYTE = 1032


def gunzip(archive: Path, target: Path) -> None:
    """Makes the file `target` of a gzip file.

    Raises:
        InputError: the archive is damaged.
    """
    try:
        with (
            gzip.open(archive) as source,
            written_beside(target) as partial,
            open(partial, "wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{archive}: damaged or truncated gzip file ({error}).") from error


def cars3d(archive: Path, folder: Path) -> None:
    """Puts the files data/cars/*.mat of the tar file into `folder`; others stay in the archive.

    Raises:
        InputError: the archive is damaged.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.suffix != ".mat" or path.parent.name != "cars":
                    continue
                # The name alone, so that no member leaves the folder.
                with (
                    tar.extractfile(member) as source,
                    written_beside(folder / path.name) as partial,
                    open(partial, "wb") as file,
                ):
                    shutil.copyfileobj(source, file)
    except (EOFError, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{archive}: damaged or truncated tar file ({error}).") from error
