# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_download_data: downloads data sets to where dlib looks for them.

Hashes and sizes are those of public sources: TensorFlow Datasets (url_checksums/) for MNIST,
Fashion-MNIST, SmallNORB and Shapes3D; disent and latte for the MD5 of dSprites, Cars3D and MPI3D,
for which no SHA-256 is published. The MPI3D addresses are those that its authors gave when theirs
of 2019 ended. No address was tried when this was written, for lack of a network.
"""

import argparse
import sys
from pathlib import Path

from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.files import mnist_files
from vae_ortho_plugin.data.files.location import VARIABLE, data_root, exists
from vae_ortho_plugin.data.files.remote import fetch
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams

DATA_SETS = {
    **mnist_files.DOWNLOADS,
    "dsprites": dsprites.DOWNLOAD,
    "scream": dsprites.SCREAM_DOWNLOAD,
    "smallnorb": smallnorb.DOWNLOAD,
    "cars3d": cars3d.DOWNLOAD,
    "shapes3d": shapes3d.DOWNLOAD,
    **mpi3d.DOWNLOADS,
}
# What is downloaded when no data set is named: those of the paper.
_DEFAULT = ("mnist", "fashion_mnist", "dsprites")


def needed(name: str) -> list[str]:
    """The data sets to download for a name: one of DATA_SETS, one of dlib's, or 'all'."""
    if name == "all":
        return list(DATA_SETS)
    if name in DATA_SETS:
        return [name]
    found = [key for key, data_set in DATA_SETS.items() if name in data_set.names]
    if not found:
        raise InputError(
            f"there is no data set {name!r} to download; known are {', '.join(DATA_SETS)}, dlib's "
            "names of the variants of dSprites, and 'all'."
        )
    return found


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
    try:
        for remote in data_set.files:
            fetch(remote, root)
    except InputError as error:
        by_hand = data_set.by_hand.format(root=root)
        by_hand = f"\nBy hand: {by_hand} ({data_set.homepage})." if by_hand else ""
        raise InputError(f"{error}{by_hand}") from error


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
        f"(default: {' '.join(_DEFAULT)})",
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
        names = arguments.data_sets or [name for name in _DEFAULT if name in DATA_SETS]
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
