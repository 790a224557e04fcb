# SPDX-License-Identifier: Apache-2.0
"""A cache of what XLA compiles, for training runs of the same graph with other seeds.

XLA takes seconds to compile a training loop. TensorFlow caches what it has compiled in a directory, under a
fingerprint of the graph. Seeds are no part of it, since initial weights and noise are drawn outside of the
loop; the names of the loop's functions are.
"""

import contextlib
import gc
import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from unittest import mock

from vae_ortho_plugin.errors import InputError

_FLAG = "--tf_xla_persistent_cache_directory"
_directories: list[str] = []


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Within: the cache is a directory of this process and of those that it starts, or the one that the flag names.

    To be entered before TensorFlow is imported, which reads the flag once.
    """
    flags = os.environ.get("TF_XLA_FLAGS", "")
    with contextlib.ExitStack() as stack:
        if given := re.search(rf"{_FLAG}=(\S+)", flags):
            directory = given[1]
        else:
            made = tempfile.TemporaryDirectory(prefix="vae_ortho_plugin_xla_")
            directory = stack.enter_context(made)
            flags = f"{flags} {_FLAG}={directory}".strip()
            stack.enter_context(mock.patch.dict(os.environ, TF_XLA_FLAGS=flags))
        _directories.append(directory)
        stack.callback(_directories.remove, directory)
        yield


@contextlib.contextmanager
def functions_named_by_order() -> Iterator[None]:
    """Within: functions of loops and branches are named by their order in the graph that is built.

    TensorFlow names them by a count of the process: no graph would have the fingerprint of an earlier one.
    """
    from tensorflow.python.eager import context
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import control_flow_util_v2

    count = itertools.count()
    if _directories:
        gc.collect()  # functions of an earlier graph have their names until it is collected

    def unused(name: str) -> str:
        name = f"{name}_{next(count)}".replace("/", "_")
        return f"{name}_{ops.uid()}" if context.context().has_function(name) else name

    with mock.patch.multiple(
        control_flow_util_v2,
        unique_fn_name=lambda scope, name: unused(scope + name),
        unique_grad_fn_name=lambda forward_name: unused(f"{forward_name}_grad"),
    ):
        yield


def check(error: Exception) -> None:
    """Raises InputError if the directory of the cache is why a loop could not be compiled."""
    for directory in _directories:
        if directory in str(error):
            raise InputError(
                f"What XLA compiles cannot be written to {directory}: {error}. Make room there, or name "
                "another place for temporary files by TMPDIR."
            ) from error
