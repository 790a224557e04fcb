# SPDX-License-Identifier: Apache-2.0
"""What of a process's surroundings TensorFlow, Keras or dlib cannot work with. Standard library only."""

import importlib.util
import os
import sys


def unusable() -> str | None:
    """A message about what cannot be worked with, and what to do; None where all is well."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow" and not _is_installed(backend):
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
    """As `unusable`, and what the scripts cannot do without, whatever other programs can."""
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


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
