# SPDX-License-Identifier: Apache-2.0
"""Errors of building a model in the body of a loop."""

# What TensorFlow and layers raise where a graph cannot be built in the body of a loop.
TRACING_ERRORS = (ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError)
# What TensorFlow puts before the line that says what is wrong.
_PREAMBLES = ("Graph execution error", "Detected at node", "Node:", "File ", "[[", "2 root error")


class CannotLoop(Exception):
    """The model function cannot be traced in the body of a loop."""


def reason(error: Exception) -> str:
    """The line of TensorFlow's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_PREAMBLES)]
    return (telling or lines or [type(error).__name__])[0]
