# SPDX-License-Identifier: Apache-2.0
"""Hides TensorFlow's start-up lines from the console, and nothing else.

TensorFlow's C++ writes them to file descriptor 2 while it is loaded, whatever TF_CPP_MIN_LOG_LEVEL says.
A small process of its own reads what comes, drops the lines of the known forms and passes on the others at
once. It lives on until the last byte is read, so that nothing is lost where this process dies meanwhile.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
# 1 hides TensorFlow's notes; its warnings and errors stay.
_LEVEL = "1"

# Without imports but re and signal, which starts in 15 ms.
_FILTER = r"""
import os, re, signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
known = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR\s*$"
    rb"|To enable the following instructions: .* rebuild TensorFlow with the appropriate compiler flags\.\s*$"
    rb"|([IWEF]\d{4} [\d:.]+\s+\d+ |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] )\S+\] ("
    rb"oneDNN custom operations are on\."
    rb"|Could not find cuda drivers on your machine"
    rb"|This TensorFlow binary is optimized to use available CPU instructions"
    rb"|Unable to register cu\w+ (factory|PTX)"
    rb"|computation placer already registered"
    rb"|failed call to cuInit: (UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE"
    rb"|INTERNAL: CUDA error: Failed call to cuInit: (UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE))"
    rb"|TF-TRT Warning: Could not find TensorRT"
    rb")"
)
rest = b""
while block := os.read(0, 65536):
    *lines, rest = (rest + block).split(b"\n")
    for line in lines:
        if not known.match(line):
            os.write(2, line + b"\n")
if rest:
    os.write(2, rest)
"""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within: TensorFlow's start-up lines are not shown, unless the user's TF_CPP_MIN_LOG_LEVEL is 0.

    A level that the user has set stays. No level hides all of these lines by itself.
    """
    if os.name != "posix" or os.environ.setdefault(VARIABLE, _LEVEL) in ("", "0"):
        yield
        return
    try:
        sys.stderr.flush()
        stderr = os.dup(2)
        reader = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _FILTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
    except (OSError, AttributeError, ValueError):  # no stderr, or no further process
        yield
        return
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        # A process that was started meanwhile may still write to the reader.
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(2.0)
