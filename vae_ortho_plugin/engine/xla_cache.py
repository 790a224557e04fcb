# SPDX-License-Identifier: Apache-2.0
"""Programs that XLA has compiled, kept for trainings of the same graph with other seeds in the same process.

XLA takes seconds to compile a training loop. TensorFlow can keep what it has compiled in a directory, under a
fingerprint of the graph. Seeds are no part of it, since initial weights and noise are drawn outside of the loop; the names of
the loop's functions are.
"""

import contextlib
import gc
import itertools
import os
import tempfile
from collections.abc import Iterator
from unittest import mock

from vae_ortho_plugin.errors import InputError

_FLAG = "--tf_xla_persistent_cache_directory"
_directories: list[str] = []


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within: compiled programs are kept in a directory of this process alone.

    To be entered before TensorFlow is imported, which reads the flag once.
    """
    before = os.environ.get("TF_XLA_FLAGS")
    if before and _FLAG in before:  # the user's own
        yield
        return
    with tempfile.TemporaryDirectory(prefix="vae_ortho_plugin_xla_") as directory:
        os.environ["TF_XLA_FLAGS"] = f"{before or ''} {_FLAG}={directory}".strip()
        _directories.append(directory)
        try:
            yield
        finally:
            _directories.remove(directory)
            if before is None:
                del os.environ["TF_XLA_FLAGS"]
            else:
                os.environ["TF_XLA_FLAGS"] = before


@contextlib.contextmanager
def functions_named_by_order() -> Iterator[None]:
    """Within: functions of loops and branches are named by their order in the graph that is built.

    TensorFlow names them by a count of the process, so that no graph would have the fingerprint of an earlier one.
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
    """Raises InputError if a training could not be compiled because of the directory of compiled programs."""
    for directory in _directories:
        if directory in str(error):
            raise InputError(
                f"What XLA compiles cannot be kept in {directory}: {error}. Make room there, or name another "
                "place for temporary files by TMPDIR."
            ) from error
