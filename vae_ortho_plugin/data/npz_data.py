# SPDX-License-Identifier: Apache-2.0
"""dataset.name = 'npz': the arrays of a user's own npz file."""

import dataclasses
from pathlib import Path

import gin
import numpy as np

from vae_ortho_plugin.data import own_data
from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import check_file
from vae_ortho_plugin.data.files.read_files import cached
from vae_ortho_plugin.data.own_data import OwnData
from vae_ortho_plugin.data.sampling.factor_table import factor_table
from vae_ortho_plugin.errors import InputError, check_whole

_OBSERVATIONS = ("images", "observations")
_KEYS = (*_OBSERVATIONS, "factors", "factor_names", "factor_kinds", "splits")


@gin.configurable("npz")
class NpzData(OwnData):
    """Images or vectors of a npz file, with or without factors.

    The arrays of the file (np.savez or np.savez_compressed; no Python objects):
        images, or observations: [points, height, width, channels], [points, height, width] or, for
            vectors, [points, coordinates]; uint8 (0 ... 255 stands for 0 ... 1), bool or floating
            point. Bernoulli losses need values from 0 to 1.
        factors (optional): [points, factors], numbers or strings; or a structured array [points],
            whose fields are the factors.
        factor_names (optional): strings; the default is the names of the fields.
        factor_kinds (optional): 'continuous' or 'categorical' for each factor. The default is
            continuous for floating-point numbers and categorical for integers and strings.
        splits (optional): 'train', 'validation' or 'test', or 0, 1, 2, for each point. The default
            is a shuffle with `seed` into 80 %, 10 % and 10 %.
    """

    def __init__(self, path: str = gin.REQUIRED, seed: int = 0):
        """Reads the file, once per process as long as it is unchanged.

        Args:
            path: of the file, from the current directory or else from the data root.
            seed: of the splits.

        Raises:
            InputError: there is no such file, it is damaged, or its arrays do not fit.
        """
        check_whole("npz.seed", seed)
        file = own_data.find(path, "npz.path")
        check_file(file)
        super().__init__(*cached(f"npz {seed}", [file], lambda: _read(file, seed)))


def _read(file: Path, seed: int) -> tuple:
    """The arguments of OwnData."""
    with npz.opened(file, "a data set of one's own") as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        small = {key: npz.small_array(archive, key) for key in keys if key in _KEYS[2:]}
    found = [key for key in keys if key in _OBSERVATIONS]
    if not found and len(keys) == 1:
        found = keys
    if len(found) != 1:
        raise InputError(
            f"{file}: needs an array 'images' (or 'observations') of the points; it has "
            f"{', '.join(keys) or 'no arrays'}."
        )
    stored = _as_images(file, found[0], npz.large_array(file, "a data set of one's own", found[0]))
    try:
        order, sizes = own_data.split_order(small.get("splits"), len(stored), seed)
        observations = own_data.arranged(stored, order)
    except InputError as error:
        raise InputError(f"{file}: {error}.") from error
    scale = 1 / 255 if stored.dtype == np.uint8 else 1.0
    if "factors" not in small:
        return observations, scale, sizes
    kinds, names = small.get("factor_kinds"), small.get("factor_names")
    table = factor_table(small["factors"], len(stored), kinds, names, where=f"{file}: ")
    columns = [column[order] for column in table.columns]
    return observations, scale, sizes, dataclasses.replace(table, columns=columns)


def _as_images(file: Path, key: str, stored: np.ndarray) -> np.ndarray:
    """[points, height, width, channels]; a vector is a column of pixels, as in the synthetic data."""
    if stored.dtype.kind not in "fb" and stored.dtype != np.uint8:
        raise InputError(
            f"{file}: {key} is {stored.dtype.name}; save it as uint8 (0 to 255) or as "
            "floating-point numbers."
        )
    if stored.ndim not in (2, 3, 4) or 0 in stored.shape:
        raise InputError(
            f"{file}: expected {key} of shape (points, height, width, channels), (points, height,"
            f" width) or (points, coordinates), found {stored.shape}."
        )
    if stored.ndim == 2:
        return stored[:, :, np.newaxis, np.newaxis]
    return stored[..., np.newaxis] if stored.ndim == 3 else stored
