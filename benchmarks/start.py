# SPDX-License-Identifier: Apache-2.0
"""How long programs take to start: dlib's, and those that do not use it."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import environment_tf114
from benchmarks.framework import NotMeasured, Row, Series, Settings
from benchmarks.machine import ROOT

IMPORTS = "import tensorflow, tensorflow_probability, tensorflow_hub"
# tensorflow_hub wants an attribute that TensorFlow has lost, and a module that setuptools has.
IMPORTS_THAT_WORK = """
import sys, types, packaging.version, tensorflow, tensorflow_probability
tensorflow.compat.v1.estimator = types.SimpleNamespace(Exporter=object)
try:
    import pkg_resources
except ImportError:
    parse = packaging.version.parse
    sys.modules["pkg_resources"] = types.SimpleNamespace(parse_version=parse)
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
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "it printed no error"
            raise NotMeasured(f"{command[0]} exited with {done.returncode}: {reason}")
    return (time.perf_counter() - start) / times


@contextlib.contextmanager
def helpshort(settings: Settings, python: str = sys.executable) -> Iterator[Callable]:
    """dlib_train --helpshort, which exits with 1."""
    command = [python, str(Path(python).with_name("dlib_train")), "--helpshort"]
    yield lambda: _seconds(command, 1)


def helpshort_in_tf114(settings: Settings) -> contextlib.AbstractContextManager[Callable]:
    """The same script in the environment with TensorFlow 1.14."""
    return helpshort(settings, environment_tf114.python_tf114(settings))


@contextlib.contextmanager
def imports(settings: Settings) -> Iterator[Callable]:
    """The imports that dlib needs anyway."""
    yield lambda: _seconds([sys.executable, "-c", IMPORTS_THAT_WORK], 0)


@contextlib.contextmanager
def start(settings: Settings) -> Iterator[Callable]:
    """Milliseconds to the end of a program that does nothing, and finds no TensorFlow loaded."""
    yield lambda: 1000 * _seconds([sys.executable, "-c", NO_TENSORFLOW], 0, times=20)


@contextlib.contextmanager
def bare_start(settings: Settings, with_plugin: bool) -> Iterator[Callable]:
    """The same in an environment that holds the plugin alone, or no package at all."""
    directory = settings.scratch / ("plugin_alone" if with_plugin else "empty")
    subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", directory], check=True
    )
    python = str(directory / "bin" / "python")
    if with_plugin:
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
        packages = Path(site.stdout.strip())
        shutil.copy(ROOT / "vae_ortho_plugin.pth", packages)
        shutil.copytree(ROOT / "vae_ortho_plugin", packages / "vae_ortho_plugin")
    yield lambda: 1000 * _seconds([python, "-c", NO_TENSORFLOW], 0, times=20)


ROWS = (
    Row(
        "start-dlib",
        "Start of dlib_train --helpshort",
        "s",
        (
            Series("plugin", helpshort),
            Series(IMPORTS, imports, at_most=1.05),
            Series(environment_tf114.NAME, helpshort_in_tf114),
        ),
    ),
    Row(
        "start-python",
        "Start and end of a Python that does not use dlib",
        "ms",
        (
            Series(
                "environment with the plugin alone",
                functools.partial(bare_start, with_plugin=True),
            ),
            Series(
                "environment without any package", functools.partial(bare_start, with_plugin=False)
            ),
            Series("environment with the plugin and all that it needs", start),
        ),
        "The program is one line, which also fails if TensorFlow has been loaded. Other packages have start-up lines of "
        "their own.",
        at_most=20,
    ),
)
