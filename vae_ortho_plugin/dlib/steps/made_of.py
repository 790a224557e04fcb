# SPDX-License-Identifier: Apache-2.0
"""What a model is made of besides its gin configuration: the data, and the source of the user's own modules.

An unfinished training run and a finished model have it in a file. A training run that continues compares it, and
so does a later step with dataset.name = 'auto'.
"""

import contextlib
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import files
from vae_ortho_plugin.data.files import read_files
from vae_ortho_plugin.dlib import console_scripts

FILE = "made_of.json"
# Observations that are compared of data that are not read from files.
_SAMPLE = 16
# Relative difference of such observations that counts as none: another machine computes other last bits.
_TOLERANCE = 1e-3
_INSTALLED = tuple(
    f"{folder}{os.sep}"
    for folder in (
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
        os.path.dirname(os.path.dirname(files.__file__)),
    )
)

_check: ContextVar[Callable[[dict], None] | None] = ContextVar("check_made_of", default=None)


@contextlib.contextmanager
def checked(check: Callable[[dict], None]) -> Iterator[None]:
    """Within: `check` is called with the description of the first data set that is made."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def made(make: Callable[[], GroundTruthData]) -> GroundTruthData:
    """The data set that `make` returns, after the check of `checked`."""
    if (check := _check.get()) is None:
        return make()
    _check.set(None)
    with read_files.noted() as paths:
        dataset = make()
    check({"data": _data(dataset, paths), "modules": _sources()})
    return dataset


def read(directory: Path) -> dict | None:
    """The description in a directory; None where there is none, as from an older version."""
    try:
        return json.loads((directory / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write(directory: Path, description: dict) -> None:
    """Writes a description into a directory."""
    files.write_text(directory / FILE, json.dumps(description, indent=1))


def differences(there: dict, now: dict) -> list[str]:
    """What is not the same, in words. A module counts where both have it."""
    found = _data_differences(there["data"], now["data"])
    for name, (sha256, path) in sorted(now["modules"].items()):
        if there["modules"].get(name, [sha256])[0] != sha256:
            found.append(f"the module {name} ({path}) has been changed")
    return found


def _data_differences(there: dict, now: dict) -> list[str]:
    for name in ("observation_shape", "factor_sizes"):
        if there[name] != now[name]:
            return [f"the data's {name} is {there[name]} there, {now[name]} now"]
    if "sample" in there and "sample" in now:
        old, new = np.array(there["sample"]), np.array(now["sample"])
        if not np.allclose(old, new, rtol=0, atol=_TOLERANCE * np.abs(old).max()):
            return ["the data set draws other observations"]
    if "files" not in there or "files" not in now:
        return []
    old, new = there["files"], now["files"]
    if all(old[name] == new[name] for name in ("files", "bytes", "sha256")):
        return []
    sizes = [f"{one['bytes']:,} bytes in {one['files']:,} file(s)" for one in (old, new)]
    if sizes[0] == sizes[1]:
        return [f"the content of {new['place']} has been changed"]
    return [f"the data are {sizes[0]} ({old['place']}) there, {sizes[1]} ({new['place']}) now"]


def _data(dataset: GroundTruthData, paths: list[Path]) -> dict:
    description = {
        "observation_shape": [int(size) for size in dataset.observation_shape],
        # A user's data set without factors may lack them.
        "factor_sizes": [int(size) for size in getattr(dataset, "factors_num_values", ())],
    }
    if paths:
        return {**description, "files": read_files.summary(paths)}
    drawn, again = (
        np.asarray(dataset.sample_observations(_SAMPLE, np.random.RandomState(0)), np.float64)
        for _ in range(2)
    )
    if not np.array_equal(drawn, again):  # not by the random state that it is given
        return description
    rows = drawn.reshape(len(drawn), -1)
    return {**description, "sample": (rows @ np.cos(np.arange(rows.shape[1]))).tolist()}


def _sources() -> dict[str, list[str]]:
    """SHA-256 and path of the source of each module that is neither installed nor of the plugin or dlib."""
    own = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) or ""
        # TensorFlow brings 6,000 modules: a Path of each would take longer than the rest of a step.
        if path.startswith(_INSTALLED) or not path.endswith(".py"):
            continue
        if name == "__mp_main__" or (name == "__main__" and not _main_registers()):
            continue
        path = Path(path)
        if path.is_file() and not {"site-packages", "dist-packages"} & set(path.parts):
            own[name] = [files.sha256(path), str(path)]
    return own


def _main_registers() -> bool:
    """Whether the program has gin configurables; the rest of a program may change."""
    return not console_scripts.is_console_script() and any(
        getattr(one.wrapped, "__module__", None) == "__main__"
        for _, one in gin.config._REGISTRY.items()
    )
