# SPDX-License-Identifier: Apache-2.0
"""The gin file of a finished step of dlib.

It is read here only. The module lies outside of dlib/, because `trained_model` and the study read
such files too and may not import dlib/.
"""

from pathlib import Path

from vae_ortho_plugin.gin_files import read_bindings


def gin_file(directory: Path | str, step: str) -> Path:
    """Path of the gin file that a step wrote.

    Args:
        directory: the step's output, or that of a later step, which has a copy.
        step: 'train', 'postprocess' or 'evaluation'.
    """
    return Path(directory, "results", "gin", f"{step}.gin")


def step_config(directory: Path | str, step: str) -> dict[str, object]:
    """The parameters that a finished step ran with, as `gin_files.read_bindings` gives them.

    Args:
        directory, step: as for `gin_file`.

    Raises:
        InputError: the file is missing or is not a gin file.
    """
    return read_bindings(gin_file(directory, step))
