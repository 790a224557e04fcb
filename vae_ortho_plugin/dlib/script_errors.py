# SPDX-License-Identifier: Apache-2.0
"""How dlib's scripts end after an `InputError` and after a signal."""

import os
import sys

from vae_ortho_plugin.engine.interruption import Interrupted, leave
from vae_ortho_plugin.errors import InputError


def show_input_errors_alone() -> None:
    """In dlib's scripts, an `InputError` prints its message only and ends with exit status 1.

    A training that a signal has stopped has said so; the script ends with exit status 130 or 143.
    """
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    if not script.startswith("dlib_"):
        return
    show_traceback = sys.excepthook

    def show(kind, error, traceback):
        if issubclass(kind, InputError):
            message = str(error).partition("\n  In call to configurable")[0]
            print(f"{script}: {message}", file=sys.stderr)
        elif issubclass(kind, Interrupted):
            leave(error)
        else:
            show_traceback(kind, error, traceback)

    sys.excepthook = show
