# SPDX-License-Identifier: Apache-2.0
"""The checks before dlib's steps, and the end of gin's configuration after them."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path

import gin

from vae_ortho_plugin.dlib import gin_errors, import_path
from vae_ortho_plugin.dlib.steps import output_directory
from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.errors import InputError, check_no_pattern
from vae_ortho_plugin.files import check_seal, gin_files


def guarded(with_gin: Callable, prepare: Callable[[dict], str]) -> Callable:
    """dlib's <step>_with_gin with its input checked first and gin's configuration cleared at the end.

    `prepare` gets the arguments by name, checks and completes the directories, and returns the output directory.
    """
    signature = inspect.signature(with_gin)

    @functools.wraps(with_gin)
    def step(*args, **kwargs):
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        arguments = call.arguments
        for name in ("gin_config_files", "gin_bindings"):
            given = arguments[name] or []
            arguments[name] = [given] if isinstance(given, str) else list(given)
        files, bindings = arguments["gin_config_files"], arguments["gin_bindings"]
        found = [gin_files.find(name) for name in files]
        if None in found:
            raise InputError(gin_files.missing(files[found.index(None)]))
        import_path.begin(found)
        output_directory.refuse_existing(prepare(arguments), arguments["overwrite"])
        try:
            with gin_errors.explained(files, bindings), graphs.without_deprecation_warnings():
                return with_gin(**arguments)
        finally:
            # A failed step leaves gin's configuration locked for the next one in this process.
            gin.clear_config()

    return step


def need_output(path: str | None) -> str:
    """The output directory's path; raises InputError where it is None."""
    if path is None:
        raise InputError("No output directory. Name one with --output_dir=DIRECTORY.")
    return path


def need_module(path: str | None, flag: str, what: str) -> None:
    """Checks that the directory that the script's `flag` names has a TF-Hub module; `what` describes it.

    Raises:
        InputError: there is no directory or module, a file is damaged, or the path is a pattern to TensorFlow.
    """
    if path is None:
        raise InputError(f"No directory of {what}. Name it with {flag}=DIRECTORY.")
    check_no_pattern(path)
    if not os.path.isdir(os.path.join(path, "tfhub")):
        raise InputError(f"{flag} = {path} is not {what}: there is no directory tfhub in it.")
    check_seal(Path(path), "tfhub/*", "results/*")
