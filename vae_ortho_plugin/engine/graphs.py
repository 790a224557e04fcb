# SPDX-License-Identifier: Apache-2.0
"""Building graphs as TensorFlow 1 did, in a process that goes on with TensorFlow 2."""

import contextlib
import threading
from collections.abc import Iterator

import tensorflow.compat.v1 as tf
from tensorflow.python import tf2
from tensorflow.python.framework import tensor_shape
from tensorflow.python.util import deprecation

# The settings below are the process's. Two threads that build must not restore each other's.
_lock = threading.RLock()


@contextlib.contextmanager
def building(graph: tf.Graph | None = None) -> Iterator[tf.Graph]:
    """Within: the default graph is `graph`, with the `settings` of dlib's models.

    Args:
        graph: None: a new one.
    """
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
        stack.callback(
            setattr,
            tensor_shape,
            "_TENSORSHAPE_V2_OVERRIDE",
            tensor_shape._TENSORSHAPE_V2_OVERRIDE,
        )
        tensor_shape._TENSORSHAPE_V2_OVERRIDE = False
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


@contextlib.contextmanager
def without_deprecation_warnings() -> Iterator[None]:
    """Within: TensorFlow does not warn of its deprecated functions, which dlib's user cannot change."""
    before = deprecation._PRINT_DEPRECATION_WARNINGS
    deprecation._PRINT_DEPRECATION_WARNINGS = False
    try:
        yield
    finally:
        deprecation._PRINT_DEPRECATION_WARNINGS = before
