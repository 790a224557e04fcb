# SPDX-License-Identifier: Apache-2.0
"""disentanglement_lib with TensorFlow 1.14, run by a Python of its own.

the environment with TensorFlow 1.14 is a virtual environment of Python 3.7 that holds

    tensorflow==1.14 disentanglement-lib==1.5 gin-config==0.3.0 tensorflow-hub==0.7.0
    "protobuf<3.21" "h5py<3" "numpy<1.19" "imageio<2.28"

imageio 2.28 no longer takes the keyword with which dlib writes animations.

The benchmarks take the path of its Python as --python-tf114 and run themselves in this project's own.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.framework import NotMeasured, Settings

TRAIN = Path(__file__).with_name("train_in_tf114.py")
NAME = "dlib on TensorFlow 1.14"


def python_tf114(settings: Settings) -> str:
    """The environment's Python; raises NotMeasured where none was named."""
    if settings.python_tf114 is None:
        raise NotMeasured("no --python-tf114 was given")
    return settings.python_tf114


@contextlib.contextmanager
def on_request(
    settings: Settings, arguments: list[str], log: Path
) -> Iterator[Callable[[int], float]]:
    """A process of train_in_tf114.py that waits; yields a function that makes it train a number of steps.

    That function returns the seconds they took. Between the requests the process stands still.
    """
    command = [python_tf114(settings), str(TRAIN), *arguments]
    with log.open("w") as output, contextlib.ExitStack() as stack:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                bufsize=1,
            )
        except OSError as error:
            raise NotMeasured(f"{command[0]} cannot be run: {error.strerror}") from error
        stack.callback(process.wait)
        stack.callback(process.kill)

        def request(count: int) -> float:
            with contextlib.suppress(BrokenPipeError):
                print(count, file=process.stdin)
            answer = process.stdout.readline()
            if not answer:
                raise NotMeasured(f"{command[0]} ended: {last_line(log)}")
            return float(answer)

        yield request


def last_line(log: Path) -> str:
    """The last line of a log that names an error, else the last one that says anything."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line.partition(":")[0]]
    return (errors or lines or ["it printed nothing"])[-1]
