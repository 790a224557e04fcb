# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's modules, in memory, right after their import; `hook` names the functions.

They open dlib's closed lists (data sets, studies), register the plugin's gin configurables, and wrap dlib's steps
in those of the package `steps`.
"""

import inspect
from collections.abc import Callable


def replace_wrapped(wrapper: Callable, new: Callable) -> None:
    """Makes what the decorator gin.configurable returned call `new`, a `functools.wraps` of the old function."""
    old = wrapper.__wrapped__
    cells = [cell for cell in wrapper.__closure__ if cell.cell_contents is old]
    if not cells:
        raise RuntimeError(
            f"gin's wrapper of {old.__name__} does not hold it; install gin-config 0.5."
        )
    # gin looks up there which parameters a call gives by position.
    new.__signature__ = inspect.signature(old)
    for cell in cells:
        cell.cell_contents = new
