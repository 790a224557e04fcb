# SPDX-License-Identifier: Apache-2.0
"""disentanglement_lib with TensorFlow 1.14, run by a Python of its own.

the environment with TensorFlow 1.14 is a virtual environment of Python 3.7 that holds

    tensorflow==1.14 disentanglement-lib==1.5 gin-config==0.3.0 tensorflow-hub==0.7.0
    "protobuf<3.21" "h5py<3" "numpy<1.19" "imageio<2.28"

imageio 2.28 no longer takes the keyword with which dlib writes animations.

The benchmarks take the path of its Python as --python-tf114 and run themselves in this project's own.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from benchmarks import other_python
from benchmarks.framework import NotMeasured, Settings

TRAIN = Path(__file__).with_name("train_in_tf114.py")
NAME = "dlib on TensorFlow 1.14"


def python_tf114(settings: Settings) -> str:
    """The environment's Python; raises NotMeasured where none was named."""
    if settings.python_tf114 is None:
        raise NotMeasured("no --python-tf114 was given")
    return settings.python_tf114


def on_request(
    settings: Settings, arguments: list[str], log: Path
) -> contextlib.AbstractContextManager[Callable[[int], float]]:
    """A process of train_in_tf114.py that trains a number of steps on request (see `other_python`)."""
    command = [python_tf114(settings), str(TRAIN), *arguments]
    return other_python.on_request(command, log)
