# SPDX-License-Identifier: Apache-2.0
"""How long programs take to start: dlib's, and those that do not use it."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import environment_2020
from benchmarks.framework import NotMeasured, Row, Series, Settings

IMPORTS = "import tensorflow, tensorflow_probability, tensorflow_hub"
# tensorflow_hub wants an attribute that TensorFlow has lost.
IMPORTS_THAT_WORK = """
import types, tensorflow, tensorflow_probability
tensorflow.compat.v1.estimator = types.SimpleNamespace(Exporter=object)
import tensorflow_hub
"""
NO_TENSORFLOW = "import sys; sys.exit('tensorflow' in sys.modules)"


def _seconds(command: list[str], expected: int, times: int = 1) -> float:
    # The benchmarks' own PYTHONPATH is not part of a program's start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    start = time.perf_counter()
    for _ in range(times):
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        if done.returncode != expected:
            raise NotMeasured(f"{' '.join(command)} exited with {done.returncode}")
    return (time.perf_counter() - start) / times


@contextlib.contextmanager
def helpshort(settings: Settings, python: str = sys.executable) -> Iterator[Callable]:
    """dlib_train --helpshort, which exits with 1."""
    command = [python, str(Path(python).with_name("dlib_train")), "--helpshort"]
    yield lambda: _seconds(command, 1)


def helpshort_in_2020(settings: Settings) -> contextlib.AbstractContextManager[Callable]:
    """The same script in the environment of 2020."""
    return helpshort(settings, environment_2020.python_2020(settings))


@contextlib.contextmanager
def imports(settings: Settings) -> Iterator[Callable]:
    """The imports that dlib needs anyway."""
    yield lambda: _seconds([sys.executable, "-c", IMPORTS_THAT_WORK], 0)


@contextlib.contextmanager
def start(settings: Settings) -> Iterator[Callable]:
    """Milliseconds to the end of a program that does nothing, and finds no TensorFlow loaded."""
    yield lambda: 1000 * _seconds([sys.executable, "-c", NO_TENSORFLOW], 0, times=20)


@contextlib.contextmanager
def empty_start(settings: Settings) -> Iterator[Callable]:
    """The same in an environment that holds no package at all."""
    directory = settings.scratch / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    python = str(directory / "bin" / "python")
    yield lambda: 1000 * _seconds([python, "-c", NO_TENSORFLOW], 0, times=20)


ROWS = (
    Row(
        "start-dlib",
        "Start of dlib_train --helpshort",
        "s",
        (
            Series("plugin", helpshort),
            Series(IMPORTS, imports, at_most=1.15),
            Series(environment_2020.NAME, helpshort_in_2020),
        ),
    ),
    Row(
        "start-python",
        "Start and end of a Python that does not use dlib",
        "ms",
        (
            Series("environment with the plugin", start),
            Series("environment without any package", empty_start),
        ),
        "The program is one line, which also fails if TensorFlow has been loaded.",
        at_most=20,
    ),
)
