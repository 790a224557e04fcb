# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_download_data: fetches MNIST, Fashion-MNIST and dSprites to where dlib looks for them."""

import argparse
import contextlib
import dataclasses
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from vae_ortho_plugin.data import dsprites, mnist_files
from vae_ortho_plugin.data.location import VARIABLE, data_root
from vae_ortho_plugin.errors import InputError

_TIMEOUT_SECONDS = 60
_ATTEMPTS = 5
_CHUNK = 1 << 18


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file of a data set.

    Attributes:
      path: below the data root.
      urls: where it can be had, tried in this order.
      check: raises InputError unless the file at a path has the right content.
    """

    path: Path
    urls: tuple[str, ...]
    check: Callable[[Path], None]


def _idx_files(name: str, *mirrors: str) -> list[Remote]:
    return [
        Remote(
            Path(name, f"{file}.gz"),
            tuple(f"{mirror}/{file}.gz" for mirror in mirrors),
            partial(mnist_files.check_file, name=name, file=file),
        )
        for file in mnist_files.SHAPES
    ]


def _check_dsprites(path: Path) -> None:
    if dsprites.is_rendered_stand_in(path):
        raise InputError(f"{path} is a {dsprites.STAND_IN}.")
    dsprites.check_official(path)


DATA_SETS = {
    "mnist": _idx_files(
        "mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
    ),
    "fashion_mnist": _idx_files(
        "fashion_mnist",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
    "dsprites": [
        Remote(
            dsprites.FILE,
            (
                "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                + dsprites.FILE.name,
            ),
            _check_dsprites,
        )
    ],
}


def fetch(remote: Remote, root: Path) -> None:
    """Brings a file to its place below `root`, unless it is there and good.

    What has come so far lies in a file of its own, ending in .part, which the next call goes on
    with; it gets its name when it is complete and checked.

    Raises:
      InputError: no address gave the right content; the message says what each gave.
    """
    target = root / remote.path
    if target.is_file():
        try:
            remote.check(target)
            print(f"{target}: already there.")
            return
        except InputError as error:
            print(f"{error} It will be replaced.")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in remote.urls:
        print(f"Fetching {url}", flush=True)
        # Two addresses may have the content in different compressions, so each has its own part.
        digest = hashlib.sha256(url.encode()).hexdigest()[:8]
        part = target.with_name(f"{target.name}.{digest}.part")
        try:
            _download(url, part, remote.check)
        except (InputError, OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {error}")
            continue
        os.replace(part, target)
        for other in target.parent.glob(f"{target.name}.*.part"):
            other.unlink()
        print(f"{target}: fetched and checked.")
        return
    with contextlib.suppress(OSError):
        target.parent.rmdir()  # unless it holds something
    raise InputError(
        f"{target} could not be fetched.\n  " + "\n  ".join(failures) + "\n"
        "Check the network and run the same command again: it goes on where it stopped."
    )


def _download(url: str, part: Path, check: Callable[[Path], None]) -> None:
    """Completes and checks `part`. One that an earlier run began and is wrong is begun again."""
    resumed = part.exists()
    for attempt in range(_ATTEMPTS):
        time.sleep(min(attempt, 2))
        if _append(url, part):
            break
    else:
        raise InputError(f"the connection broke off {_ATTEMPTS} times; {part} keeps what came.")
    try:
        check(part)
    except InputError:
        part.unlink()
        if not resumed:
            raise
        _download(url, part, check)


def _append(url: str, part: Path) -> bool:
    """Appends to `part` what it lacks of `url`; False where the connection broke off."""
    size = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={size}-"} if size else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True
        raise
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            size = 0
        length = response.headers["Content-Length"]
        total = size + int(length) if length else None
        with open(part, "ab" if size else "wb") as file:
            while True:
                try:
                    chunk = response.read(_CHUNK)
                except (OSError, http.client.HTTPException):
                    return False
                if not chunk:
                    return total is None or size >= total
                size += file.write(chunk)
                _show(part.name, size, total)


def _show(name: str, size: int, total: int | None) -> None:
    if sys.stderr.isatty():
        of_total = f" of {total / 1e6:.1f}" if total else ""
        end = "\n" if size == total else ""
        line = f"\r\033[K{name}: {size / 1e6:.1f}{of_total} MB"
        print(line, end=end, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Entry point of vae_ortho_download_data; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="vae_ortho_download_data",
        description="Fetches data sets to where dlib looks for them, checks them, and goes on with "
        "what an interrupted call left.",
    )
    parser.add_argument(
        "data_sets", nargs="*", metavar="DATA_SET", help=f"{', '.join(DATA_SETS)} (default: all)"
    )
    parser.add_argument(
        "--root", help=f"directory that holds the data sets (default: ${VARIABLE}, else .)"
    )
    arguments = parser.parse_args(argv)
    names = arguments.data_sets or list(DATA_SETS)
    try:
        for name in names:
            if name not in DATA_SETS:
                raise InputError(
                    f"there is no data set {name!r}; it knows {', '.join(DATA_SETS)}. "
                    "dlib_download_data fetches dlib's other ones."
                )
        for name in names:
            for remote in DATA_SETS[name]:
                fetch(remote, data_root(arguments.root))
    except (InputError, OSError) as error:
        print(f"vae_ortho_download_data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
