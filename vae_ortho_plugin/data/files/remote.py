# SPDX-License-Identifier: Apache-2.0
"""Files at addresses, and how they get to their places below the data root."""

import contextlib
import dataclasses
import hashlib
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from vae_ortho_plugin.data.files.location import exists
from vae_ortho_plugin.data.files.read_files import has_hash
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import behind_links, publish
from vae_ortho_plugin.files.locks import locked

_TIMEOUT_SECONDS = 60
_ATTEMPTS = 5
_CHUNK = 1 << 18
# Wikimedia refuses the names that libraries give themselves.
_USER_AGENT = "vae_ortho_download_data"


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file of a data set, or an archive of its files.

    Attributes:
        path: where the file, or the folder of the unpacked files, belongs below the data root.
        urls: addresses, tried in this order.
        known_hash: as for `has_hash`; None where none is published.
        check: raises InputError unless what is at a path has the right content, in any compression.
        archive: where an archive is downloaded to, below the data root.
        unpack: makes `path` of the archive.
    """

    path: Path
    urls: tuple[str, ...]
    known_hash: str | None
    check: Callable[[Path], object]
    archive: Path | None = None
    unpack: Callable[[Path, Path], None] | None = None


@dataclasses.dataclass(frozen=True)
class Download:
    """What is downloaded for a data set.

    Size, licence or terms, and its makers' homepage are texts for people.

    Attributes:
        by_hand: what to do where the addresses fail, with {root} for the data root.
        names: the names in dlib of the data sets that need it.
    """

    files: tuple[Remote, ...]
    size: str
    licence: str
    homepage: str
    by_hand: str = ""
    names: tuple[str, ...] = ()


def fetch(remote: Remote, root: Path) -> None:
    """Downloads a file to its place below `root`, unless it is there and good.

    What has arrived so far is in a file that ends in .part, which the next call resumes. The file gets
    its name when it is complete and checked. An archive is then unpacked and deleted, unless it was there.

    Raises:
        InputError: no address gave the right content, or another process is downloading the file.
    """
    target = behind_links(root / remote.path)
    if exists(target):
        try:
            remote.check(target)
            print(f"{target}: already there.")
            return
        except InputError as error:
            print(f"{error} It will be replaced.")
    downloaded = behind_links(root / (remote.archive or remote.path))
    folder = downloaded.parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / f"{downloaded.name}.lock", f"the download of {target}"):
            there = (
                remote.unpack and downloaded.is_file() and has_hash(downloaded, remote.known_hash)
            )
            if not there:
                _fetch(remote, downloaded)
            if remote.unpack:
                print(f"Unpacking {downloaded}", flush=True)
                remote.unpack(downloaded, target)
                remote.check(target)
                if not there:
                    downloaded.unlink()
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only where nothing has arrived
    print(f"{target}: downloaded and checked.")


def _fetch(remote: Remote, target: Path) -> None:
    failures = []
    for url in remote.urls:
        print(f"Downloading {url}", flush=True)
        # Two addresses may have the content in different compressions, so each has its own part.
        digest = hashlib.sha256(url.encode()).hexdigest()[:8]
        part = target.with_name(f"{target.name}.{digest}.part")
        try:
            _fetch_part(url, part, remote)
        except (InputError, OSError) as error:
            failures.append(f"{url}: {error}")
            continue
        publish(part, target)
        for other in target.parent.glob(f"{target.name}.*.part"):
            other.unlink()
        return
    raise InputError(
        f"{target} could not be downloaded.\n  " + "\n  ".join(failures) + "\n"
        "Check the network and run the same command again: it resumes where it stopped."
    )


def _fetch_part(url: str, part: Path, remote: Remote) -> None:
    """Downloads from one address. A part of an earlier call that is wrong is downloaded anew."""
    resumed = part.exists()
    for attempt in range(_ATTEMPTS):
        time.sleep(min(attempt, 2))
        if _append(url, part):
            break
    else:
        raise InputError(
            f"the connection broke off {_ATTEMPTS} times; {part} holds what has arrived."
        )
    try:
        if remote.unpack is None:
            remote.check(part)
        if remote.known_hash and not has_hash(part, remote.known_hash):
            raise InputError(f"the hash of {part} does not match the known hash.")
    except InputError:
        part.unlink()
        if not resumed:
            raise
        _fetch_part(url, part, remote)


def _append(url: str, part: Path) -> bool:
    """Appends to `part` what it lacks of `url`; False where the connection broke."""
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
    from urllib3.exceptions import HTTPError

    size = part.stat().st_size if part.exists() else 0
    # Without "identity", a server may send a .gz file with its compression undone.
    headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT}
    if size:
        headers["Range"] = f"bytes={size}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True
        response.raise_for_status()
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            size = 0
        length = response.headers.get("Content-Length")
        total = size + int(length) if length else None
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
        quiet = not sys.stderr.isatty()
        console = Console(stderr=True, quiet=quiet)
        with (
            open(part, "ab" if size else "wb") as file,
            Progress(*columns, console=console, disable=quiet) as progress,
        ):
            task = progress.add_task(part.name, total=total, completed=size)
            try:
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    file.write(chunk)
                    progress.advance(task, len(chunk))
            except HTTPError:
                return False
    return True
