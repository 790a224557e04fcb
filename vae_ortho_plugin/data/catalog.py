# SPDX-License-Identifier: Apache-2.0
"""What vae_ortho_download_data knows of each data set: addresses, hashes, places, checks, terms.

Hashes and sizes are those of public sources: TensorFlow Datasets (url_checksums/) for MNIST,
Fashion-MNIST, SmallNORB and Shapes3D; disent and latte for the MD5 of dSprites, Cars3D and MPI3D,
for which no SHA-256 is published. The MPI3D addresses are those that its authors gave when theirs
of 2019 ended. None was tried when this was written, for lack of a network.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vae_ortho_plugin.data import (
    cars3d,
    dsprites,
    mnist_files,
    mpi3d,
    shapes3d,
    smallnorb,
    unpack,
)
from vae_ortho_plugin.errors import InputError


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file of a data set, or an archive of its files.

    Attributes:
        path: where the file, or the folder of the unpacked files, belongs below the data root.
        urls: addresses, tried in this order.
        known_hash: of the file at these addresses, in pooch's notation: a bare SHA-256 or
            "md5:..."; None where none is published.
        check: raises InputError unless what is at a path has the right content. It accepts the
            same content in another compression, too.
        archive: where an archive is downloaded to, below the data root.
        unpack: makes `path` of the archive.
    """

    path: Path
    urls: tuple[str, ...]
    known_hash: str | None
    check: Callable[[Path], None]
    archive: Path | None = None
    unpack: Callable[[Path, Path], None] | None = None


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
        files: what is downloaded.
        size: of the download, for people.
        licence: or the terms in its own words.
        homepage: where its makers offer it.
        by_hand: what to do where the addresses fail, with {root} for the data root.
        names: the names in dlib of the data sets that need it.
    """

    files: tuple[Remote, ...]
    size: str
    licence: str
    homepage: str
    by_hand: str = ""
    names: tuple[str, ...] = ()


# Of the gzip files at the addresses below, in the order of SHAPES.
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

_NORB_SHA256 = {
    ("training", "dat"): "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    ("training", "cat"): "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    ("training", "info"): "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    ("testing", "dat"): "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    ("testing", "cat"): "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    ("testing", "info"): "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
}

_MPI3D_MD5 = {
    "mpi3d_toy": "55889cb7c7dfc655d6e0277beee88868",
    "mpi3d_realistic": "59a6225b88b635365f70c91b3e52f70f",
    "mpi3d_real": "0f33f609918fb5c97996692f91129802",
}


def _idx_files(name: str, *mirrors: str) -> tuple[Remote, ...]:
    return tuple(
        Remote(
            Path(name, f"{file}.gz"),
            tuple(f"{mirror}/{file}.gz" for mirror in mirrors),
            _IDX_SHA256[name][file],
            partial(mnist_files.check_file, name=name, file=file),
        )
        for file in mnist_files.SHAPES
    )


def _norb_file(chunk: str, kind: str) -> Remote:
    path = Path(str(smallnorb.TEMPLATE).format(chunk, kind))
    archive = path.with_name(f"{path.name}.gz")
    return Remote(
        path,
        (f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/{archive.name}",),
        _NORB_SHA256[chunk.rpartition("-")[2], kind],
        smallnorb.check_matrix,
        archive,
        unpack.gunzip,
    )


def _check_dsprites(path: Path) -> None:
    if dsprites.is_rendered(path):
        raise InputError(f"{path} is rendered.")
    dsprites.check_official(path)


def _mpi3d(mode: str) -> DataSet:
    file = mpi3d.file_of(mode)
    addresses = [f"https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/{file.name}"]
    if mode != "mpi3d_real":
        bucket = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"
        addresses.append(f"{bucket}/{file.name}")
    check = partial(mpi3d.check_public, mode=mode)
    return DataSet(
        (Remote(file, tuple(addresses), f"md5:{_MPI3D_MD5[mode]}", check),),
        "12.7 GB",
        "CC BY 4.0",
        "https://github.com/rr-learning/disentanglement_dataset",
        f"take {file.name} from one of the homepage's links and put it at {{root}}/{file}",
    )


DATA_SETS = {
    "mnist": DataSet(
        _idx_files(
            "mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ),
        "12 MB",
        "CC BY-SA 3.0",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    "fashion_mnist": DataSet(
        _idx_files(
            "fashion_mnist",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        "31 MB",
        "MIT",
        "https://github.com/zalandoresearch/fashion-mnist",
    ),
    "dsprites": DataSet(
        (
            Remote(
                dsprites.FILE,
                (
                    "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                    + dsprites.FILE.name,
                ),
                dsprites.KNOWN_HASH,
                _check_dsprites,
            ),
        ),
        "some 30 MB",
        "Apache 2.0",
        "https://github.com/google-deepmind/dsprites-dataset",
        f"take {dsprites.FILE.name} from the homepage and put it at {{root}}/{dsprites.FILE}",
        (
            "dsprites_full",
            "dsprites_noshape",
            "color_dsprites",
            "noisy_dsprites",
            "scream_dsprites",
        ),
    ),
    "scream": DataSet(
        (
            Remote(
                dsprites.SCREAM_FILE,
                ("https://upload.wikimedia.org/wikipedia/commons/f/f4/The_Scream.jpg",),
                None,
                dsprites.check_scream,
            ),
        ),
        "an image",
        "public domain",
        "https://commons.wikimedia.org/wiki/File:The_Scream.jpg",
        "any photograph of Edvard Munch's The Scream serves; put it at "
        f"{{root}}/{dsprites.SCREAM_FILE}",
        ("scream_dsprites",),
    ),
    "smallnorb": DataSet(
        tuple(_norb_file(chunk, kind) for chunk in smallnorb.CHUNKS for kind in smallnorb.KINDS),
        "263 MB, unpacked 900 MB",
        "research purposes; it cannot be sold",
        "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        f"take the six files .mat.gz from the homepage and put them into {{root}}/"
        f"{smallnorb.TEMPLATE.parent}; they need not be unpacked",
    ),
    "cars3d": DataSet(
        (
            Remote(
                cars3d.FOLDER,
                ("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
                "md5:4e866a7919c1beedf53964e6f7a23686",
                cars3d.check_folder,
                cars3d.FOLDER / "nips2015-analogy-data.tar.gz",
                unpack.cars3d,
            ),
        ),
        "not stated",
        "none stated",
        "http://www.scottreed.info",
        f"put nips2015-analogy-data.tar.gz into {{root}}/{cars3d.FOLDER} and run the command again,"
        f" or unpack its folder data/cars as {{root}}/{cars3d.FOLDER}",
    ),
    "shapes3d": DataSet(
        (
            Remote(
                shapes3d.FILE,
                ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
                shapes3d.SHA256,
                shapes3d.check_public,
            ),
        ),
        "268 MB",
        "Apache 2.0",
        "https://github.com/google-deepmind/3d-shapes",
        f"take 3dshapes.h5 from the homepage's link and put it at {{root}}/{shapes3d.FILE}",
    ),
    **{mode: _mpi3d(mode) for mode in mpi3d.SHORT_MD5},
}

# The paper's: what is downloaded when no data set is named.
OF_THE_PAPER = ("mnist", "fashion_mnist", "dsprites")


def needed(name: str) -> list[str]:
    """The data sets to download for a name: one of DATA_SETS, one of dlib's, or 'all'.

    Raises:
        InputError: an unknown name; the message lists the known ones.
    """
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
