# SPDX-License-Identifier: Apache-2.0
"""Wall time of one dlib_reproduce of 1,000 steps on data of dSprites' size, from the start of Python to its end."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import environment_tf114
from benchmarks.data import data_root
from benchmarks.framework import NotMeasured, Row, Series, Settings

SCRIPT = Path(__file__).with_name("reproduce_in_both.py")
STEPS = 1000


def _measure(settings: Settings, python: str, reads: Callable[[int], bool]) -> float:
    data_root(settings, "dsprites_full")
    output, log = settings.scratch / "reproduced", settings.scratch / "reproduce.log"
    shutil.rmtree(output, ignore_errors=True)
    dlib_reproduce = Path(python).with_name("dlib_reproduce")
    command = [python, str(SCRIPT), str(dlib_reproduce), str(output), str(STEPS)]
    with log.open("w") as file:
        start = time.perf_counter()
        try:
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
        except OSError as error:
            raise NotMeasured(f"{python} cannot be run: {error.strerror}") from error
        seconds = time.perf_counter() - start
    line = environment_tf114.last_line(log)
    if done.returncode:
        raise NotMeasured(f"{python} ended: {line}")
    if not reads(int(log.read_text(errors="replace").split()[-1])):
        raise RuntimeError(f"the images were read {line} times")
    return seconds


@contextlib.contextmanager
def plugin(settings: Settings) -> Iterator[Callable]:
    """With the plugin; fails unless the images were read once."""
    yield lambda: _measure(settings, sys.executable, lambda reads: reads == 1)


@contextlib.contextmanager
def in_tf114(settings: Settings) -> Iterator[Callable]:
    """The same script in the environment with TensorFlow 1.14."""
    python = environment_tf114.python_tf114(settings)
    yield lambda: _measure(settings, python, lambda reads: reads >= 1)


ROWS = (
    Row(
        "reproduce",
        f"dlib_reproduce, dSprites fc, {STEPS:,} steps, end to end",
        "s",
        (
            Series("plugin", plugin),
            Series(environment_tf114.NAME, in_tf114, at_most=0.6),
        ),
        "A study of one run: dlib's fc_encoder and fc_decoder with 10 latents, its visualizations, its mean representation "
        "and its MIG. Here the images are read from their file once (the row fails otherwise), by dlib on TensorFlow 1.14 "
        "at each step and twice in training.",
    ),
)
