# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error of a process whose work is worth more than what it prints.

A terminal or a pipe may go away, and the disk of a log may be full.
"""

import contextlib
import os
import sys
from typing import TextIO


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
    """From now on, no error of these streams ('stdout', 'stderr') ends the process or changes its exit status.

    It is not for a stream that a command prints its results to. A stream that was closed when the process started
    becomes the null device: its descriptor would be that of the next file that is opened, and TensorFlow's own
    lines would go into it.
    """
    for name in names:
        stream = getattr(sys, name)
        if stream is None:
            null_device = os.open(os.devnull, os.O_WRONLY)
            os.set_inheritable(null_device, True)
            descriptor = {"stdout": 1, "stderr": 2}[name]
            try:
                os.fstat(descriptor)
            except OSError:  # it is free
                os.dup2(null_device, descriptor)
            stream = os.fdopen(null_device, "w", encoding="utf-8")
        if not isinstance(stream, _Lossy):
            setattr(sys, name, _Lossy(stream))
