# SPDX-License-Identifier: Apache-2.0
"""The TF-Hub module of a step, opened only where the step asks it for something.

dlib opens the module for every metric and every postprocessing. Most of the plugin's metrics ask the
trained model instead, and the mean representation asks nothing.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub


@contextlib.contextmanager
def eval_function_for_module(path: str, tags: set[str] | None = None) -> Iterator["LazyModule"]:
    """hub.eval_function_for_module for dlib's calls, with the work done at the first call of the function.

    Args:
        path: directory of the module.
        tags: of the graph variant.
    """
    with tf.get_default_graph().as_default(), contextlib.ExitStack() as stack:
        yield LazyModule(path, tags, stack)


class LazyModule:
    """Computes the outputs of a module's signatures; arguments as `eval_function_for_module`."""

    def __init__(self, path: str, tags: set[str] | None, stack: contextlib.ExitStack):
        self._path, self._tags, self._stack = path, tags, stack
        self._signatures: dict[str, tuple[dict, dict]] = {}

    def __call__(
        self, inputs: Mapping[str, np.ndarray], signature: str = "default", as_dict: bool = False
    ) -> dict[str, np.ndarray] | np.ndarray:
        """The outputs by name, or that of the name 'default' without `as_dict`."""
        graph, module, session = self._opened
        if signature not in self._signatures:
            with graph.as_default():
                feeds = {
                    name: tf.placeholder(info.dtype, info.get_shape())
                    for name, info in module.get_input_info_dict(signature).items()
                }
                outputs = module(feeds, signature=signature, as_dict=True)
            self._signatures[signature] = feeds, outputs
        feeds, outputs = self._signatures[signature]
        values = session.run(outputs, {feeds[name]: value for name, value in inputs.items()})
        return values if as_dict else values["default"]

    @functools.cached_property
    def _opened(self) -> tuple[tf.Graph, hub.Module, tf.Session]:
        with tf.Graph().as_default() as graph:
            module = hub.Module(self._path, tags=self._tags)
            session = tf.Session()
            self._stack.callback(session.close)
            session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        return graph, module, session
