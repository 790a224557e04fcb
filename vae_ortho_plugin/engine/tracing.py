# SPDX-License-Identifier: Apache-2.0
"""Building a model in the body of a loop, which not every model allows."""

import contextlib
from collections.abc import Iterator

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError

# What TensorFlow puts before the line that says what is wrong.
_PREAMBLES = ("Graph execution error", "Detected at node", "Node:", "File ", "[[", "2 root error")


class CannotLoop(Exception):
    """The model function cannot be traced in the body of a loop."""


@contextlib.contextmanager
def in_loop(graph: tf.Graph) -> Iterator[None]:
    """Within: a model is built in the body of a loop of `graph`.

    Raises:
        CannotLoop: TensorFlow or a layer of the model cannot do that.
    """
    try:
        yield
    except InputError:
        raise
    # What they raise, by case, where they are built in the body of a loop.
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise CannotLoop(f"the model cannot loop: {reason(error)}") from error
    if any(variable.graph is not graph for variable in tf.global_variables()):
        raise CannotLoop("the model makes variables that cannot leave the loop")


def reason(error: Exception) -> str:
    """The line of TensorFlow's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_PREAMBLES)]
    return (telling or lines or [type(error).__name__])[0]
