# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error of a process whose work is worth more than what it prints.

A terminal or a pipe may go away, and the disk of a log may be full.
"""

import contextlib
import os
import sys
from typing import TextIO

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


class _Lossy:
    """A text stream that drops what cannot be written."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def drop_what_cannot_be_written(*names: str) -> None:
    """From now on, no error of these streams ends the process or changes its exit status.

    A stream that was closed when the process started becomes the null device: its descriptor would be that of
    the next file that is opened, and TensorFlow's own lines would go into it.

    Args:
        names: 'stdout', 'stderr'. Not of a stream that a command prints its results to.
    """
    for name in names:
        stream = getattr(sys, name)
        if stream is None:
            stream = _null_device(_DESCRIPTORS[name])
        if not isinstance(stream, _Lossy):
            setattr(sys, name, _Lossy(stream))


def _null_device(descriptor: int) -> TextIO:
    """The null device, which takes this descriptor too if it is free."""
    opened = os.open(os.devnull, os.O_WRONLY)
    os.set_inheritable(opened, True)
    try:
        os.fstat(descriptor)
    except OSError:
        os.dup2(opened, descriptor)
    return os.fdopen(opened, "w", encoding="utf-8")
