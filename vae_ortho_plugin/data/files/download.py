# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_download_data: downloads data sets to where dlib looks for them.

pooch checks the hashes and moves a finished file to its place. The transfer is our own, because
pooch's deletes what has arrived when a connection breaks; this one resumes.
"""

import argparse
import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from vae_ortho_plugin import streams
from vae_ortho_plugin.data.files.catalog import DATA_SETS, OF_THE_PAPER, Remote, needed
from vae_ortho_plugin.data.files.location import VARIABLE, data_root, exists
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import behind_links, publish
from vae_ortho_plugin.locks import locked

_TIMEOUT_SECONDS = 60
_ATTEMPTS = 5
_CHUNK = 1 << 18
# Wikimedia refuses the names that libraries give themselves.
_USER_AGENT = "vae_ortho_download_data"


def fetch(remote: Remote, root: Path) -> None:
    """Downloads a file to its place below `root`, unless it is there and good.

    What has arrived so far is in a file that ends in .part; the next call resumes it. The file gets
    its name when it is complete and checked. An archive is unpacked then, and deleted.

    Raises:
        InputError: no address gave the right content (the message says what each gave), or
            another process is downloading the file.
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
            if remote.unpack is None:
                _fetch(remote, downloaded)
            else:
                _fetch_and_unpack(remote, downloaded, target)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only where nothing has arrived
    print(f"{target}: downloaded and checked.")


def _fetch_and_unpack(remote: Remote, archive: Path, target: Path) -> None:
    """Makes `target` of the archive. An archive that was there is used and kept."""
    from pooch import file_hash

    algorithm, _, known = remote.known_hash.rpartition(":")
    there = archive.is_file() and file_hash(str(archive), algorithm or "sha256") == known
    if not there:
        _fetch(remote, archive)
    print(f"Unpacking {archive}", flush=True)
    remote.unpack(archive, target)
    remote.check(target)
    if not there:
        archive.unlink()


def _fetch(remote: Remote, target: Path) -> None:
    failures = []
    for url in remote.urls:
        print(f"Downloading {url}", flush=True)
        try:
            _fetch_from(url, remote, target)
        except (ValueError, OSError) as error:
            failures.append(f"{url}: {error}")
            continue
        for part in target.parent.glob(f"{target.name}.*.part"):
            part.unlink()
        return
    raise InputError(
        f"{target} could not be downloaded.\n  " + "\n  ".join(failures) + "\n"
        "Check the network and run the same command again: it resumes where it stopped."
    )


def _fetch_from(url: str, remote: Remote, target: Path) -> None:
    """Downloads from one address. A part of an earlier call that is wrong is downloaded anew."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the command says itself what it does
    # Two addresses may have the content in different compressions, so each has its own part.
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    part = target.with_name(f"{target.name}.{digest}.part")
    fetched = target.with_name(f"{target.name}.{digest}.checked")
    resumed = part.exists()

    def transfer(_url: str, output_file: str, _pooch: object) -> None:
        _complete(url, part)
        if remote.unpack is None:
            remote.check(part)
        _link(part, Path(output_file))

    try:
        pooch.retrieve(url, remote.known_hash, fetched.name, target.parent, downloader=transfer)
    except _BrokenOff:
        raise
    except ValueError:  # wrong content or hash
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        return _fetch_from(url, remote, target)
    publish(fetched, target)


class _BrokenOff(InputError):
    """The connection broke; the part is kept."""


def _link(part: Path, output: Path) -> None:
    """Hands the part over to pooch and keeps it, so that a process killed while pooch computes the
    hash has not lost it; where the file system has no links, the part is moved."""
    output.unlink(missing_ok=True)
    try:
        os.link(part, output)
    except OSError:
        os.replace(part, output)


def _complete(url: str, part: Path) -> None:
    for attempt in range(_ATTEMPTS):
        time.sleep(min(attempt, 2))
        if _append(url, part):
            return
    raise _BrokenOff(f"the connection broke off {_ATTEMPTS} times; {part} keeps what has arrived.")


def _append(url: str, part: Path) -> bool:
    """Appends to `part` what it lacks of `url`; False where the connection broke."""
    import requests

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
        with open(part, "ab" if size else "wb") as file, _progress(part.name, size, total) as show:
            return _copy(response.raw, file, show)


def _copy(source, file: BinaryIO, show) -> bool:
    """Copies the rest of a response; False where the connection broke."""
    from urllib3.exceptions import HTTPError

    chunks = source.stream(_CHUNK, decode_content=False)
    while True:
        try:
            chunk = next(chunks, b"")
        except (OSError, HTTPError):
            return False
        if not chunk:
            return True
        file.write(chunk)
        show(len(chunk))


@contextlib.contextmanager
def _progress(name: str, size: int, total: int | None) -> Iterator:
    """Within: a function that counts bytes, with a bar in a terminal and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=size)
        yield lambda count: progress.advance(task, count)


def show(root: Path) -> None:
    """Prints a table of the data sets: size, terms, source, and whether they are below `root`."""
    for name, data_set in DATA_SETS.items():
        places = [root / remote.path for remote in data_set.files]
        there = sum(map(exists, places))
        place = places[0].parent if len(places) > 1 else places[0]
        state = "there" if there == len(places) else f"{there} of {len(places)} files there"
        print(f"{name}: {data_set.size}; licence: {data_set.licence}; {data_set.homepage}")
        print(f"    {place}: {state if there else 'not there'}")
        if data_set.names:
            print(f"    for dataset.name = {', '.join(data_set.names)}")


def _fetch_data_set(name: str, root: Path) -> None:
    data_set = DATA_SETS[name]
    print(f"{name}: {data_set.size}; licence: {data_set.licence}; {data_set.homepage}")
    for remote in data_set.files:
        try:
            fetch(remote, root)
        except InputError as error:
            by_hand = data_set.by_hand.format(root=root)
            raise InputError(
                f"{error}" + f"\nBy hand: {by_hand} ({data_set.homepage})." * bool(by_hand)
            ) from error


def main(argv: list[str] | None = None) -> int:
    """Entry point of vae_ortho_download_data; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="vae_ortho_download_data",
        description="Downloads data sets to where dlib looks for them and checks them. "
        "It resumes what an interrupted call left.",
    )
    parser.add_argument(
        "data_sets",
        nargs="*",
        metavar="DATA_SET",
        help=f"{', '.join(DATA_SETS)}, a name of dlib's such as scream_dsprites, or all "
        f"(default: {' '.join(OF_THE_PAPER)})",
    )
    parser.add_argument(
        "--root", help=f"directory that holds the data sets (default: ${VARIABLE}, else .)"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="show sizes, licences, sources and places, and download nothing",
    )
    arguments = parser.parse_args(argv)
    root = data_root(arguments.root)
    try:
        if arguments.list:
            show(root)
            return 0
        streams.drop_what_cannot_be_written("stdout", "stderr")
        names = arguments.data_sets or [name for name in OF_THE_PAPER if name in DATA_SETS]
        for data_set in dict.fromkeys(key for name in names for key in needed(name)):
            _fetch_data_set(data_set, root)
    except (InputError, OSError) as error:
        print(f"vae_ortho_download_data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command resumes where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
