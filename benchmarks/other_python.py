# SPDX-License-Identifier: Apache-2.0
"""A program that another Python runs, and that trains or reads a number of steps when it is asked to."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.framework import NotMeasured


@contextlib.contextmanager
def on_request(command: Sequence[str], log: Path) -> Iterator[Callable[[int], float]]:
    """A process that waits; yields a function that sends it a number and returns the seconds it answers.

    Between the requests the process stands still.

    Args:
        command: reads a number a line from standard input and answers each by a line of seconds.
        log: for its standard error.
    """
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
