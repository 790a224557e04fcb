# SPDX-License-Identifier: Apache-2.0
"""What the scripts in PyTorch's environment share: a number a line comes in, seconds a line go out."""

import os
import sys
import time
from collections.abc import Callable


def answer(make_ready: Callable[[int], Callable[[], object]]) -> None:
    """Answers each number of standard input with the seconds that its call takes, until the input ends.

    Args:
        make_ready: takes the number; gives the call.
    """
    # Whatever else is printed goes to the log.
    answers = os.fdopen(os.dup(1), "w", 1)
    os.dup2(2, 1)
    for line in sys.stdin:
        call = make_ready(int(line))
        start = time.perf_counter()
        call()
        answers.write(f"{time.perf_counter() - start!r}\n")
