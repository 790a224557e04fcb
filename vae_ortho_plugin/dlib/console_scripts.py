# SPDX-License-Identifier: Apache-2.0
"""The console scripts. In an incomplete installation or an unusable environment they say what to do."""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterable

from vae_ortho_plugin.dlib.hook import REQUIRED, REQUIRED_FOR_ARRAYS, missing_packages
from vae_ortho_plugin.dlib.script import unusable_for_scripts
from vae_ortho_plugin.files import streams


def download_data() -> int:
    """vae_ortho_download_data; returns the exit status."""
    return _run("vae_ortho_plugin.data.files.download")


def evaluate() -> int:
    """vae_ortho_evaluate; returns the exit status."""
    return _run("vae_ortho_plugin.arrays.command", REQUIRED_FOR_ARRAYS)


def render_dsprites() -> int:
    """vae_ortho_render_dsprites; returns the exit status."""
    return _run("vae_ortho_plugin.data.render_dsprites")


def study() -> int:
    """vae_ortho_study; returns the exit status."""
    return _run("vae_ortho_plugin.study.run.command")


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
