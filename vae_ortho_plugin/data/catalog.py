# SPDX-License-Identifier: Apache-2.0
"""The files of each data set: their places, addresses and checks."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vae_ortho_plugin.data import dsprites, mnist_files
from vae_ortho_plugin.errors import InputError


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file of a data set.

    Attributes:
        path: below the data root.
        urls: addresses, tried in this order.
        known_hash: of the file at these addresses, in pooch's notation: a bare SHA-256 or
            "md5:..."; None where none is published.
        check: raises InputError unless the file at a path has the right content. It accepts the
            same content in another compression, too.
    """

    path: Path
    urls: tuple[str, ...]
    known_hash: str | None
    check: Callable[[Path], None]


# Of the gzip files at the addresses below, in the order of SHAPES, as TensorFlow Datasets publishes
# them (tensorflow_datasets/url_checksums/).
_IDX_SHA256 = {
    "mnist": dict(
        zip(
            mnist_files.SHAPES,
            (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            strict=True,
        )
    ),
    "fashion_mnist": dict(
        zip(
            mnist_files.SHAPES,
            (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
            strict=True,
        )
    ),
}


def _idx_files(name: str, *mirrors: str) -> list[Remote]:
    return [
        Remote(
            Path(name, f"{file}.gz"),
            tuple(f"{mirror}/{file}.gz" for mirror in mirrors),
            _IDX_SHA256[name][file],
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
            # No SHA-256 of it is published; several projects agree on this MD5 (disent, latte).
            "md5:7da33b31b13a06f4b04a70402ce90c2e",
            _check_dsprites,
        )
    ],
}
