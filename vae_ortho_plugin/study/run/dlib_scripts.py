# SPDX-License-Identifier: Apache-2.0
"""disentanglement_lib's own scripts, as they are installed."""

import sys
import sysconfig
from pathlib import Path

from vae_ortho_plugin.errors import InputError


def dlib_script(name: str) -> Path:
    """Path of an installed script of disentanglement_lib.

    Raises:
        InputError: it is not installed.
    """
    path = Path(sysconfig.get_path("scripts"), name)
    if not path.is_file():
        raise InputError(
            f"disentanglement_lib's script {name} is not in {path.parent}. Install it with "
            f"`{sys.executable} -m pip install --no-deps disentanglement-lib==1.5`."
        )
    return path
