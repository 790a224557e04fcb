# SPDX-License-Identifier: Apache-2.0
"""What is different in a process of one of dlib's scripts: how it ends after an `InputError` or a signal."""

import itertools
import os
import sys

from vae_ortho_plugin.engine.interruption import Interrupted, leave
from vae_ortho_plugin.errors import InputError, message_of


def is_running() -> bool:
    """Whether this process is that of one of dlib's scripts."""
    return _name().startswith("dlib_")


def is_console_script() -> bool:
    """Whether this process is that of a script of dlib or of the plugin, or of the plugin's modules."""
    return _name().startswith(("dlib_", "vae_ortho_")) or _runs_module_of("vae_ortho_plugin")


def is_module_of_dlib() -> bool:
    """Whether this process runs one of dlib's modules, as in python -m disentanglement_lib…_test."""
    return _runs_module_of("disentanglement_lib")


def show_input_errors_alone() -> None:
    """From now on, an `InputError` prints its message only and ends with exit status 1.

    A training that a signal has stopped has said so; the script ends with exit status 130 or 143.
    """
    show_traceback = sys.excepthook

    def show(kind, error, traceback):
        if issubclass(kind, InputError):
            print(f"{_name()}: {message_of(error)}", file=sys.stderr)
        elif issubclass(kind, ModuleNotFoundError) and _is_of_dlib(error.name):
            print(
                f"{_name()}: needs {error.name}, which the wheel of disentanglement_lib 1.5 does not "
                "contain: this script came without its modules. It works only with dlib's sources, "
                "from its repository, on PYTHONPATH.",
                file=sys.stderr,
            )
        elif issubclass(kind, Interrupted):
            leave(error)
        else:
            show_traceback(kind, error, traceback)

    sys.excepthook = show


def hide_unfinished_directories() -> None:
    """From now on, tensorflow_hub does not log where it exported to: it is not where the model ends up."""
    from absl import logging

    logging.get_absl_logger().addFilter(
        lambda record: not str(record.msg).startswith("Exported TF-Hub module")
    )


def _runs_module_of(package: str) -> bool:
    # sys.argv does not have the module's name yet while dlib is imported.
    return any(
        flag == "-m" and module.startswith(f"{package}.")
        for flag, module in itertools.pairwise(sys.orig_argv)
    )


def _is_of_dlib(module: str | None) -> bool:
    return module is not None and module.startswith("disentanglement_lib.")


def _name() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv else ""
