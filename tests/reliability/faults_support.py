# SPDX-License-Identifier: Apache-2.0
"""What the trials of faults share."""

import functools
import time
from pathlib import Path

from faults_pipeline import Pipeline


class Wrong(Exception):
    """A promise did not hold."""


class Impossible(Exception):
    """The fault cannot be injected on this machine."""


@functools.cache
def reference(folder: Path) -> "Reference":
    """What an undisturbed pipeline makes; made once in a process."""
    return Reference(folder)


class Reference:
    """What an undisturbed pipeline makes.

    Attributes:
        pipeline: the pipeline.
        seconds: how long it takes.
        train_seconds: how long its training takes, with the export.
        results: of each step.
        kib: size of all that it writes.
    """

    def __init__(self, folder: Path):
        self.pipeline = Pipeline(folder / "undisturbed")
        begun = time.time()
        if (status := self.pipeline.run()) != 0:
            raise Wrong(f"undisturbed, it ends with {status}:\n{self.pipeline.log.read_text()}")
        self.seconds = time.time() - begun
        self.train_seconds = (self.pipeline.base / "model").stat().st_ctime - begun
        self.results = self.pipeline.finished()
        sizes = [path.stat().st_size for path in self.pipeline.base.rglob("*") if path.is_file()]
        self.kib = sum(size // 4096 + 1 for size in sizes) * 4


def check_finished_parts(pipeline: Pipeline, expected: dict[str, dict]) -> None:
    """Raises Wrong unless each directory with its final name holds the expected results."""
    for step, found in pipeline.finished().items():
        for name in sorted({*found, *expected[step]}):
            if found.get(name) != expected[step].get(name):
                raise Wrong(f"{name} of the step {step} differs, begun last: {pipeline.at}")


def check_end(pipeline: Pipeline, expected: dict[str, dict]) -> None:
    """Goes on until everything is made; raises Wrong unless it is what is expected and nothing else."""
    if (status := pipeline.run()) != 0:
        raise Wrong(f"the next call ends with {status}:\n{pipeline.log.read_text()[-3000:]}")
    if missing := expected.keys() - pipeline.finished().keys():
        raise Wrong(f"{missing} are missing")
    check_finished_parts(pipeline, expected)
    if left := pipeline.leftovers():
        raise Wrong(f"left over: {left}")
