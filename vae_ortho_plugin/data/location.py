# SPDX-License-Identifier: Apache-2.0
"""The directory that holds the data sets.

The rule is dlib's; it is applied when a data set is made, not when dlib is imported.
"""

import os
from pathlib import Path

VARIABLE = "DISENTANGLEMENT_LIB_DATA"


def data_root(root: str | Path | None = None) -> Path:
    """`root`, else $DISENTANGLEMENT_LIB_DATA, else the current directory as in dlib; absolute."""
    return Path(root if root is not None else os.environ.get(VARIABLE, ".")).absolute()


def describe_root(root: str | Path | None = None) -> str:
    """Says in a message where `data_root(root)` comes from."""
    if root is not None:
        return f"root = {str(root)!r}"
    if VARIABLE in os.environ:
        return f"{VARIABLE} = {os.environ[VARIABLE]!r}"
    return f"{VARIABLE} is not set, so the current directory {str(data_root())!r} is used"
