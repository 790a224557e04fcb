# SPDX-License-Identifier: Apache-2.0
"""PyTorch and disent, run by a Python of their own: `pip install torch disent scipy`.

disent 0.9 needs Python 3.12 or later. The benchmarks take the path of its Python as --python-torch. PyTorch's compiler needs a C++ compiler (g++).
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import other_python
from benchmarks.bare_loop import Architecture
from benchmarks.framework import NotMeasured, Settings

MODES = {
    "eager": "PyTorch, eager",
    "compiled": "PyTorch, torch.compile",
    "disent": "disent on PyTorch",
}
_TRAIN = Path(__file__).with_name("train_in_torch.py")
_DTO = Path(__file__).with_name("dto_in_torch.py")
_PRODUCTS = Path(__file__).with_name("products_in_torch.py")


def python_torch(settings: Settings) -> str:
    """The environment's Python; raises NotMeasured where none was named."""
    if settings.python_torch is None:
        raise NotMeasured("no --python-torch was given")
    return settings.python_torch


@contextlib.contextmanager
def training(
    settings: Settings,
    mode: str,
    architecture: Architecture,
    observations: np.ndarray,
    scale: float,
    batch_size: int,
) -> Iterator[Callable[[int], float]]:
    """Trains the architecture, dense layers only: a function from steps to seconds.

    Args:
        mode: one of MODES.
        observations: [points, height, width, channels], uint8 or float32.
        scale: what an observation is multiplied by.
        batch_size: of a step.
    """
    python = python_torch(settings)
    points = settings.scratch / "points_for_torch.npy"
    np.save(points, observations)
    described = dataclasses.asdict(architecture)
    optimizer = described.pop("optimizer")
    described["optimizer"] = [optimizer.func.__name__, *optimizer.args]
    for name in ("encoder_activation", "decoder_activation"):
        described[name] = described[name].__name__
    arguments = [mode, str(points), str(scale), str(batch_size), json.dumps(described)]
    log = settings.scratch / f"train_in_torch_{mode}.log"
    with other_python.on_request([python, str(_TRAIN), *arguments], log) as request:
        request(1)
        yield request


@contextlib.contextmanager
def dto(settings: Settings, widths: tuple[int, ...]) -> Iterator[Callable[[int], float]]:
    """DtO of a decoder with these widths, latents first: a function from points to seconds."""
    with _answers(settings, _DTO, widths) as request:
        request(256)
        yield request


@contextlib.contextmanager
def products(settings: Settings, rows: int, width: int) -> Iterator[Callable[[int], float]]:
    """Products of [rows, width] and [width, width]: a function from their number to seconds."""
    with _answers(settings, _PRODUCTS, (rows, width)) as request:
        yield request


def _answers(settings: Settings, script: Path, sizes: tuple[int, ...]):
    """The script's answers to numbers, as a context (`other_python.on_request`)."""
    command = [python_torch(settings), str(script), *map(str, sizes)]
    return other_python.on_request(command, settings.scratch / f"{script.stem}.log")
