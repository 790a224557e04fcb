# SPDX-License-Identifier: Apache-2.0
"""What is different in a process of one of dlib's scripts: how it ends after an `InputError` or a signal."""

import itertools
import os
import sys

from vae_ortho_plugin.engine.interruption import Interrupted, leave
from vae_ortho_plugin.errors import InputError


def is_running() -> bool:
    """Whether this process is that of one of dlib's scripts."""
    return _name().startswith("dlib_")


def is_module_of_dlib() -> bool:
    """Whether this process runs one of dlib's modules, as in python -m disentanglement_lib…_test."""
    # sys.argv does not have the module's name yet while dlib is imported.
    arguments = sys.orig_argv
    return any(
        flag == "-m" and module.startswith("disentanglement_lib.")
        for flag, module in itertools.pairwise(arguments)
    )


def show_input_errors_alone() -> None:
    """From now on, an `InputError` prints its message only and ends with exit status 1.

    A training that a signal has stopped has said so; the script ends with exit status 130 or 143.
    """
    show_traceback = sys.excepthook

    def show(kind, error, traceback):
        if issubclass(kind, InputError):
            message = str(error).partition("\n  In call to configurable")[0]
            print(f"{_name()}: {message}", file=sys.stderr)
        elif issubclass(kind, Interrupted):
            leave(error)
        else:
            show_traceback(kind, error, traceback)

    sys.excepthook = show


def _name() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv else ""
