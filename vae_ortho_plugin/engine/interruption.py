# SPDX-License-Identifier: Apache-2.0
"""SIGINT (Ctrl-C), SIGTERM, or the SIGHUP of a terminal that goes away, while a model trains.

The session call ends first, so that a checkpoint can be written.
"""

import atexit
import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_SIGNAL_SECONDS = 3.0


class Interrupted(KeyboardInterrupt):
    """A signal has ended a training run after a checkpoint."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = 128 + number  # of a script


class Signals:
    """The number of the signal that has arrived within `noted`; None before any."""

    arrived: int | None = None

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Within: the first SIGINT, SIGTERM or SIGHUP is noted in `arrived`; a later one acts as before.

        One that follows within 3 s counts as the same: a batch system signals every process of a job, and a
        parent among them signals its children again. Signals that are ignored stay ignored. Other threads
        than the main one get no signals, and nothing changes there.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        # None is a handler that is not Python's, which Python could not restore.
        previous = {n: h for n, h in handlers.items() if h not in (signal.SIG_IGN, None)}
        when = 0.0

        def restore() -> None:
            for number, handler in previous.items():
                signal.signal(number, handler)

        def note(number: int, frame: object) -> None:
            nonlocal when
            if self.arrived is None:
                self.arrived, when = number, time.monotonic()
            elif time.monotonic() - when > _SAME_SIGNAL_SECONDS:
                restore()
                os.kill(os.getpid(), number)

        for number in previous:
            signal.signal(number, note)
        try:
            yield
        finally:
            restore()


def leave(interrupted: Interrupted) -> NoReturn:
    """Ends the process. Python's own end takes two seconds or more once TensorFlow is loaded."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(interrupted.exit_code)


def command() -> str:
    """The command line of this process, if it is a script; else 'the same call'."""
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    if not script or script.startswith(("-", "ipykernel", "pytest", "__main__")):
        return "the same call"
    return shlex.join([script, *sys.argv[1:]])
