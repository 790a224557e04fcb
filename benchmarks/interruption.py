# SPDX-License-Identifier: Apache-2.0
"""How long a training takes to end after SIGTERM: its session call, a checkpoint, and the process's end."""

import contextlib
import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.data import data_root
from benchmarks.framework import Row, Series, Settings
from benchmarks.linearized import linearized
from benchmarks.trainings import (
    DSPRITES_CONV,
    DSPRITES_FC,
    LINEAR,
    MNIST,
    NONLINEAR_SIGMA,
    Training,
)

_AT_MOST = 5.0
# What dlib_train exits with, as a shell does for a process that SIGTERM has ended.
_EXIT_STATUS = 128 + signal.SIGTERM


@contextlib.contextmanager
def stopped(settings: Settings, training: Training) -> Iterator[Callable]:
    """Seconds from SIGTERM to the end of dlib_train, at a random moment after its first line of progress."""
    data_root(settings, training.data_set)
    yield functools.partial(_seconds, settings, training, random.Random(0))


def _seconds(settings: Settings, training: Training, draw: random.Random) -> float:
    files, common = training.configuration
    directory = settings.scratch / "stopped"
    command = [sys.executable, str(Path(sys.executable).with_name("dlib_train"))]
    command += [f"--model_dir={directory}"]
    command += [f"--gin_config={file}" for file in files]
    bindings = [*common, "model.training_steps = 1000000000"]
    command += [f"--gin_bindings={binding}" for binding in bindings]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    with contextlib.ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.kill)
        printed = []
        for line in process.stderr:
            printed.append(line)
            if " steps/s, " in line:
                break
        time.sleep(draw.uniform(0, 2))
        begun = time.perf_counter()
        process.terminate()
        printed.append(process.stderr.read())
        status = process.wait()
        seconds = time.perf_counter() - begun
    if status != _EXIT_STATUS:
        raise RuntimeError(f"dlib_train exited with {status}:\n{''.join(printed)[-2000:]}")
    shutil.rmtree(f"{directory}.unfinished")
    return seconds


def _row(name: str, training: Training) -> Row:
    return Row(
        f"stop-{name}",
        f"From SIGTERM to the end of dlib_train, {training.title}",
        "s",
        (Series("plugin", functools.partial(stopped, training=training)),),
        about="The session call in progress ends, and a checkpoint is written.",
        at_most=_AT_MOST,
    )


ROWS = (
    _row("synth-linear", LINEAR),
    _row("synth-nonlinear-sigma", NONLINEAR_SIGMA),
    _row("mnist", MNIST),
    _row("mnist-linearized", linearized(MNIST, 300)),
    _row("dsprites-fc", DSPRITES_FC),
    _row("dsprites-conv", DSPRITES_CONV),
)
