# SPDX-License-Identifier: Apache-2.0
"""What data sets out of a user's files have in common."""

import functools
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.data.files.location import contents, data_root
from vae_ortho_plugin.data.sampling.binning import Binning, PointsByClass
from vae_ortho_plugin.data.sampling.factor_table import FactorTable
from vae_ortho_plugin.data.sampling.split_data import SPLITS, SplitGroundTruthData
from vae_ortho_plugin.errors import InputError


def find(path: str, parameter: str) -> Path:
    """The path that a gin parameter has, from the current directory or else from the data root."""
    try:
        candidates = dict.fromkeys([Path(path).absolute(), data_root() / path])
        for candidate in candidates:
            if candidate.exists():
                return candidate
    except (OSError, TypeError) as error:  # no access; no text
        raise InputError(
            f"{parameter} = {path!r}: cannot be read ({getattr(error, 'strerror', error)})."
        ) from error
    raise InputError(
        f"{parameter} = {path!r}: there is no {' and no '.join(map(str, candidates))}. "
        f"{contents(Path(path).absolute().parent)}"
    )


class OwnData(SplitGroundTruthData):
    """Points out of a user's files, with or without factors.

    Factors of many different numbers are steps of a scale towards dlib (`Binning`); `split` gives
    the numbers themselves, and class numbers for names.
    """

    def __init__(
        self,
        observations: np.ndarray,
        scale: float,
        sizes: tuple[int, int, int] | None,
        factors: FactorTable | None = None,
    ):
        """Takes points in the order of their splits.

        Args:
            observations: [n, height, width, channels], uint8 or float32.
            scale: factor from stored values to observations.
            sizes: numbers of training, validation and test points; None for 80 %, 10 %, 10 %.
            factors: of the points; None for data without factors.
        """
        self._classes = numbers = None
        if factors is not None:
            self.factor_names, self.factor_kinds = factors.names, factors.kinds
            binning = Binning(factors.columns, factors.kinds)
            self.factors_num_values = binning.num_values
            self._classes = binning.classes(factors.columns)
            numbers = binning.numbers(factors.columns)
        super().__init__(observations, numbers, scale, sizes)

    def sample_observations_from_factors(
        self, factors: np.ndarray, random_state: np.random.RandomState
    ) -> np.ndarray:
        """Training points of these class numbers [n, num_factors]; InputError where none has them."""
        if self._classes is None:
            return super().sample_observations_from_factors(factors, random_state)
        there = self._training_points.has(factors)
        if not there.all():
            missing = np.asarray(factors)[np.argmin(there)].tolist()
            raise InputError(
                f"No training point has the class numbers {missing} of the factors "
                f"{', '.join(self.factor_names)}. This metric or picture changes one factor and "
                "leaves the others; that needs data with all combinations of factors."
            )
        return self._scaled(self._observations[self._training_points.draw(factors, random_state)])

    @functools.cached_property
    def _training_points(self) -> PointsByClass:
        return PointsByClass(self._classes[self._slices["train"]])

    def _dlib_factors(self, indices: np.ndarray) -> np.ndarray:
        return self._factors[indices] if self._classes is None else self._classes[indices]


def arranged(stored: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows in this order, uint8 or finite float32, in memory and where TensorFlow uses them in place."""
    dtype = np.uint8 if stored.dtype in (np.uint8, np.bool_) else np.float32
    result = npz.aligned((len(order), *stored.shape[1:]), dtype)
    block = max(1, (1 << 26) // max(1, result[:1].nbytes))
    for start in range(0, len(order), block):
        result[start : start + block] = stored[order[start : start + block]]
        if dtype is np.float32 and not np.isfinite(result[start : start + block]).all():
            raise InputError("an observation has a value that is not finite")
    result.flags.writeable = False
    return result


def split_order(splits: np.ndarray | None, num: int, seed: int) -> tuple[np.ndarray, tuple | None]:
    """The points in the order of their splits, and the sizes of the splits.

    `splits` has the name or number (0, 1, 2) of the split of each point; None to shuffle with the seed
    and split 80 %, 10 %, 10 %.
    """
    if splits is None:
        return np.random.RandomState(seed).permutation(num), None
    names = np.asarray(splits).ravel()
    numbers = names
    if names.dtype.kind not in "iu":
        numbers = np.array([SPLITS.index(n) if n in SPLITS else -1 for n in names.astype(str)])
    if len(names) != num or not np.isin(numbers, (0, 1, 2)).all():
        raise InputError(
            f"splits must name one of {', '.join(SPLITS)}, or 0, 1, 2, for each of the {num:,} points; "
            f"found {len(names):,} entries such as {names[:1].tolist()}"
        )
    sizes = tuple(int((numbers == k).sum()) for k in range(len(SPLITS)))
    if not sizes[0]:
        raise InputError("splits has no training points")
    return np.argsort(numbers, kind="stable"), sizes
