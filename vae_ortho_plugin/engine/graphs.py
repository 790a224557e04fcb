# SPDX-License-Identifier: Apache-2.0
"""Building graphs as TensorFlow 1 did, in a process that goes on with TensorFlow 2."""

import contextlib
import threading
from collections.abc import Iterator
from unittest import mock

import tensorflow.compat.v1 as tf
from tensorflow.python import tf2
from tensorflow.python.framework import tensor_shape
from tensorflow.python.util import deprecation

from vae_ortho_plugin.errors import InputError

# The settings below are the process's. Two threads that build must not restore each other's.
_lock = threading.RLock()
# What TensorFlow puts before the line that says what is wrong.
_PREAMBLES = ("Graph execution error", "Detected at node", "Node:", "File ", "[[", "2 root error")


@contextlib.contextmanager
def building(graph: tf.Graph | None = None) -> Iterator[tf.Graph]:
    """Within: the default graph is `graph`, or a new one, with the `settings` of dlib's models."""
    graph = tf.Graph() if graph is None else graph
    with settings(), graph.as_default():
        yield graph


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Within: TensorFlow is set as dlib's models and the training loop need it.

    An entry of a shape has the attribute `value`, as models of TensorFlow 1 expect, and layers draw their
    initial values as there. Variables are resources and loops are functions, which many steps in one
    session call need; both are TensorFlow 2's own settings, which a user may have switched off. Afterwards
    all are what they were before.
    """
    with _lock, contextlib.ExitStack() as stack:
        stack.enter_context(without_deprecation_warnings())
        stack.enter_context(mock.patch.object(tensor_shape, "_TENSORSHAPE_V2_OVERRIDE", False))
        if tf2.enabled():
            tf2.disable()
            stack.callback(tf2.enable)
        if not tf.resource_variables_enabled():
            tf.enable_resource_variables()
            stack.callback(tf.disable_resource_variables)
        if not tf.control_flow_v2_enabled():
            tf.enable_control_flow_v2()
            stack.callback(tf.disable_control_flow_v2)
        yield


def without_deprecation_warnings() -> contextlib.AbstractContextManager:
    """Within: TensorFlow does not warn of its deprecated functions, which dlib's user cannot change."""
    return mock.patch.object(deprecation, "_PRINT_DEPRECATION_WARNINGS", False)


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
    # What TensorFlow and Keras raise, by case.
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise CannotLoop(f"the model cannot loop: {reason(error)}") from error
    if any(variable.graph is not graph for variable in tf.global_variables()):
        raise CannotLoop("the model makes variables that cannot leave the loop")


def reason(error: Exception) -> str:
    """The line of TensorFlow's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_PREAMBLES)]
    return (telling or lines or [type(error).__name__])[0]
