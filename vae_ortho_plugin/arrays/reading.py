# SPDX-License-Identifier: Apache-2.0
"""Latents, factors and Jacobians out of npy and npz files, checked. Nothing is ever unpickled."""

import dataclasses
import difflib
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vae_ortho_plugin.data.files import npz
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures import arrays
from vae_ortho_plugin.measures.factors import KINDS
from vae_ortho_plugin.measures.jacobians import checked_jacobians, small_jacobians

# As many points as data with splits need.
_LEAST_POINTS = 10
_BLOCK_BYTES = 1 << 26


@dataclasses.dataclass(frozen=True, eq=False)
class Factors:
    """Generating factors of points.

    Attributes:
        values: float64 [points, factors]; a categorical factor's classes as their places in sorted order.
        names: of each factor.
        kinds: "continuous" or "categorical" for each factor.
    """

    values: np.ndarray
    names: list[str]
    kinds: list[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Jacobians:
    """Jacobians of a decoder, reduced to what their measures need.

    Attributes:
        small: [points, min(outputs, latents), latents], matrices with the lengths and angles of the
            Jacobians' columns.
        outputs: number of outputs of the decoder.
    """

    small: np.ndarray
    outputs: int


def latents(path: str) -> np.ndarray:
    """The latents of --latents: float64 [points, latents].

    Raises:
        InputError: the file cannot be read, or it has no numbers of this shape, too few points or a
            value that is not finite.
    """
    flag = "--latents"
    stored = _array(flag, path)
    if stored.ndim != 2:
        hint = " A single latent is saved as z[:, None]." if stored.ndim == 1 else ""
        raise InputError(
            f"{flag} {path} must have the shape [points, latents]; got {stored.shape}.{hint}"
        )
    return _checked_table(flag, path, stored, "latents")


def factors(
    path: str, points: int, kinds: Sequence[str] | None, names: Sequence[str] | None
) -> Factors:
    """The generating factors of --factors.

    Args:
        path: of the file: [points] or [points, factors], numbers or strings.
        points: number of points that the latents have.
        kinds: of --factor-kinds: one for each factor, or one for all. The default is continuous for
            floating-point numbers and categorical for integers, booleans and strings.
        names: of --factor-names; factor 0, factor 1, ... if left out.

    Raises:
        InputError: the file cannot be read, or shapes, kinds, names or values do not fit.
    """
    flag = "--factors"
    stored = _array(flag, path, text=True)
    table = stored[:, np.newaxis] if stored.ndim == 1 else stored
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(
            f"{flag} {path} must have the shape [points, factors], none of them 0; got {stored.shape}."
        )
    if len(table) != points:
        swapped = " Is it transposed?" if table.shape[1] == points else ""
        raise InputError(
            f"{flag} {path} has {len(table):,} points and --latents has {points:,}; row i of both must be "
            f"of the same point.{swapped}"
        )
    number = table.shape[1]
    kind = "continuous" if table.dtype.kind == "f" else "categorical"
    all_kinds = list(kinds or [kind])
    if len(all_kinds) == 1:
        all_kinds = all_kinds * number
    all_names = list(names or [f"factor {k}" for k in range(number)])
    _check_entries(all_kinds, all_names, number)
    columns = [_column(path, table, k, kind) for k, kind in enumerate(all_kinds)]
    for name, column in zip(all_names, columns, strict=True):
        if np.ptp(column) == 0:
            raise InputError(
                f"{flag} {path}: {name!r} has the same value at all points, so there is nothing to "
                "predict. Leave this factor out."
            )
    return Factors(np.stack(columns, axis=1), all_names, all_kinds)


def jacobians(path: str, latents_of_points: int | None) -> Jacobians:
    """The Jacobians of --jacobians, reduced block by block, so that a large file fits into memory.

    Args:
        path: of the file: [points, outputs, latents].
        latents_of_points: number of latents of --latents; None where it is not given.

    Raises:
        InputError: the file cannot be read, or it has no finite numbers of this shape.
    """
    flag = "--jacobians"
    stored = _array(flag, path)
    try:
        array = checked_jacobians(stored)
        step = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
        small = [
            small_jacobians(array[start : start + step], first_point=start)
            for start in range(0, len(array), step)
        ]
    except InputError as error:
        raise InputError(f"{flag} {path}: {error}") from error
    if latents_of_points not in (None, array.shape[2]):
        raise InputError(
            f"{flag} {path} has the shape {array.shape}, which is of {array.shape[2]} latents, and "
            f"--latents has {latents_of_points}. The order is [points, outputs, latents]."
        )
    return Jacobians(np.concatenate(small), array.shape[1])


def sigma(path: str, shape: tuple[int, int]) -> np.ndarray:
    """The posterior's standard deviations of --sigma: float64 [points, latents].

    Args:
        path: of the file.
        shape: points and latents of the Jacobians.

    Raises:
        InputError: the file cannot be read, or it has no positive numbers of this shape.
    """
    flag = "--sigma"
    stored = _array(flag, path)
    if stored.shape != shape:
        raise InputError(
            f"{flag} {path} must have the shape [points, latents] of the Jacobians, {shape}; got "
            f"{stored.shape}."
        )
    numbers = _real(flag, path, stored, "sigma")
    if numbers.min() <= 0:
        raise InputError(
            f"{flag} {path} has the value {numbers.min():g}; standard deviations are positive. Are these "
            "log variances? Then save np.exp(logvar / 2)."
        )
    return numbers


def _array(flag: str, path: str, text: bool = False) -> np.ndarray:
    """The array of a npy file, mapped into memory, or of a npz file.

    Args:
        text: whether an array of strings will do.
    """
    where = f"{flag} {path}"
    remedy = "Save the array with NumPy: np.save(path, array)."
    try:
        with open(path, "rb") as file:
            start = file.read(6)
        if start[:4] == b"PK\x03\x04":
            array = _member(where, path, flag.removeprefix("--"))
        elif start == b"\x93NUMPY":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            raise InputError(f"{where} is not a npy or npz file. {remedy}")
    except FileNotFoundError as error:
        raise InputError(
            f"{where}: there is no such file (in {os.getcwd()}).{_near(path)}"
        ) from error
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error.strerror or error}).") from error
    except (ValueError, OverflowError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        if any(word in str(error) for word in ("pickle", "Object arrays", "Python objects")):
            raise InputError(
                f"{where} holds Python objects, which are never loaded, because a pickle can run any "
                "program. Save an array of numbers: np.save(path, np.asarray(array, dtype=float))."
            ) from error
        raise InputError(f"{where} is damaged or truncated ({error}). Save it again.") from error
    if array.dtype.kind not in ("fiubUS" if text else "fiu"):
        what = "real numbers or strings" if text else "real numbers"
        raise InputError(f"{where} must be {what}; got the type {array.dtype}. {remedy}")
    return array


def _member(where: str, path: str, name: str) -> np.ndarray:
    """The array called `name` of a npz file, or its only one."""
    with np.load(path, allow_pickle=False) as archive:
        # A file that torch.save wrote is a zip archive, too, without npy files in it.
        names = [entry for entry in archive.files if f"{entry}.npy" in archive.zip.namelist()]
        if name not in names and len(names) != 1:
            raise InputError(
                f"{where} needs an array called {name!r}, or one array only; it has "
                f"{', '.join(names) or 'none'}. Save it with np.savez(path, {name}=array)."
            )
        return npz.small_array(archive.zip, name if name in names else names[0])


def _near(path: str) -> str:
    folder = Path(path).parent
    there = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(Path(path).name, there, n=1)
    return f" Did you mean {folder / close[0]}?" if close else ""


def _checked_table(flag: str, path: str, stored: np.ndarray, name: str) -> np.ndarray:
    if len(stored) < _LEAST_POINTS or not stored.size:
        raise InputError(
            f"{flag} {path} has the shape {stored.shape}; at least {_LEAST_POINTS} points and one "
            "column are needed."
        )
    return _real(flag, path, stored, name)


def _real(flag: str, path: str, stored: np.ndarray, name: str) -> np.ndarray:
    try:
        return arrays.float_array(name, stored, booleans=True)
    except InputError as error:
        raise InputError(f"{flag} {path}: {error}") from error


def _check_entries(kinds: list[str], names: list[str], number: int) -> None:
    for flag, entries in (("--factor-kinds", kinds), ("--factor-names", names)):
        if len(entries) != number:
            one = " or one for all" if flag == "--factor-kinds" else ""
            raise InputError(
                f"{flag} has {len(entries)} entries ({', '.join(entries)}) for {number} factors; give one "
                f"for each{one}."
            )
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(
                f"--factor-kinds has {kind!r}; take continuous for numbers on a scale, also where they "
                "are few, and categorical for names and other values without an order."
            )
    if len(set(names)) < number:
        raise InputError(f"--factor-names has a name twice ({', '.join(names)}).")


def _column(path: str, table: np.ndarray, k: int, kind: str) -> np.ndarray:
    """Factor k in float64: numbers as they are, classes as their places in sorted order."""
    column = np.asarray(table[:, k])
    name = f"factors[:, {k}]"
    if kind == "continuous" and column.dtype.kind in "US":
        try:
            column = column.astype(np.float64)
        except ValueError as error:
            raise InputError(
                f"--factors {path}: {name} is continuous and has a value that is no number ({error}). "
                "A factor of names is categorical."
            ) from error
    if column.dtype.kind not in "US":
        numbers = _real("--factors", path, column, name)
        if kind == "continuous":
            return numbers
    return np.unique(column, return_inverse=True)[1].astype(np.float64)
