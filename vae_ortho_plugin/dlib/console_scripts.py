# SPDX-License-Identifier: Apache-2.0
"""The plugin's console scripts; what its scripts and dlib's cannot work with, and how they end after an error."""

import errno
import functools
import importlib
import itertools
import os
import signal
import sys
from collections.abc import Iterable

from vae_ortho_plugin.dlib.hook import PACKAGE, REQUIRED, REQUIRED_FOR_ARRAYS, missing_packages
from vae_ortho_plugin.errors import InputError, message_of
from vae_ortho_plugin.files import streams


def _run(module: str, required: Iterable[str] = REQUIRED) -> int:
    streams.drop_what_cannot_be_written("stderr")
    message = missing_packages(required) or unusable_for_scripts()
    if message is not None:
        print(f"error: {message}", file=sys.stderr)
        return 2
    status = 0
    try:
        status = importlib.import_module(module).main()
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:  # such as `| head`, which has read enough
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        if status == 0:  # else a message has said it
            print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        status = 1
    # Or Python's end would write what is left in the buffer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


# The scripts; each returns the exit status.
download_data = functools.partial(_run, "vae_ortho_plugin.data.files.download")
evaluate = functools.partial(_run, "vae_ortho_plugin.arrays.command", REQUIRED_FOR_ARRAYS)
render_dsprites = functools.partial(_run, "vae_ortho_plugin.data.render_dsprites")
study = functools.partial(_run, "vae_ortho_plugin.study.run.command")


def is_script_of_dlib() -> bool:
    """Whether this process is that of one of dlib's scripts."""
    return _name().startswith("dlib_")


def is_console_script() -> bool:
    """Whether this process is that of a script of dlib or of the plugin, or of the plugin's modules."""
    return _name().startswith(("dlib_", "vae_ortho_")) or runs_module_of("vae_ortho_plugin")


def runs_module_of(package: str) -> bool:
    """Whether this process runs a module of the package, as in python -m disentanglement_lib…_test."""
    # sys.argv does not have the module's name yet while dlib is imported.
    return any(
        flag == "-m" and module.startswith(f"{package}.")
        for flag, module in itertools.pairwise(sys.orig_argv)
    )


def show_input_errors_alone() -> None:
    """From now on, an `InputError` prints its message only and ends with exit status 1.

    A training run that a signal has stopped has said so; the script then ends with exit status 130 or 143.
    """
    from vae_ortho_plugin.engine.interruption import Interrupted, leave

    show_traceback = sys.excepthook

    def show(kind, error, traceback):
        if issubclass(kind, InputError):
            print(f"{_name()}: {message_of(error)}", file=sys.stderr)
        elif issubclass(kind, ModuleNotFoundError) and (error.name or "").startswith(f"{PACKAGE}."):
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


def unusable() -> str | None:
    """What keeps TensorFlow or Keras from starting in this process, and what to do; None where nothing does."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow" and missing_packages([backend]):
        return (
            f"KERAS_BACKEND = {backend!r} in the environment, and there is no module {backend}, so that Keras "
            "does not start. Unset the variable."
        )
    if sys.flags.optimize >= 2:
        return (
            "Python runs without docstrings (PYTHONOPTIMIZE=2, or python -OO), and tf_keras "
            "does not start without them. Unset the variable, or set it to 1."
        )
    return None


def unusable_for_scripts() -> str | None:
    """As `unusable`, and what other programs may work with, but not the scripts."""
    try:
        directory = os.getcwd()
    except FileNotFoundError:
        return "The current directory was deleted. Change to one that is there, as with `cd`."
    encoding = sys.getfilesystemencoding()
    other = [text for text in (directory, *sys.argv) if not text.isascii()]
    if encoding != "utf-8" and other:
        return (
            f"Python takes texts of the command line and names of files for {encoding}, because of LC_ALL, LANG "
            f"or PYTHONUTF8 in the environment, and TensorFlow for UTF-8; they differ for {other[0]!a}. "
            "Set PYTHONUTF8=1."
        )
    return unusable()


def _name() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv else ""
