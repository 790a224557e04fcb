# SPDX-License-Identifier: Apache-2.0
"""Layers of Keras in dlib's encoders, decoders and discriminators.

dlib calls such a function several times in a graph, and once in each of several graphs, and counts on
tf.get_variable to share the variables by their names. Keras makes variables anew in each call, by names
that it counts through the process, with seeds out of Python's `random`; and it leaves updates of moving
averages and seeds to whoever runs the graph. Within `application`, its layers behave as tf.layers do.
"""

import contextlib
import random
import sys
import types
import weakref
from collections import defaultdict
from collections.abc import Iterator
from unittest import mock

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.dlib.patches import replace_wrapped
from vae_ortho_plugin.errors import InputError

# Outermost graph -> variable scope -> the variables that its first application made without a name.
_made: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module methods.shared.architectures."""
    made = (module.make_gaussian_encoder, module.make_decoder, module.make_discriminator)
    for registered, scope in zip(made, ("encoder", "decoder", "discriminator"), strict=True):
        replace_wrapped(registered, application(scope)(registered.__wrapped__))


@contextlib.contextmanager
def application(scope: str) -> Iterator[None]:
    """Within: a function of a user is applied, such as an encoder.

    The variables of a second application in the same graph and variable scope are those of the first one, in
    their order.
    """
    graph = tf.get_default_graph()
    while getattr(graph, "outer_graph", None) is not None:
        graph = graph.outer_graph
    scope = "/".join(filter(None, [tf.get_variable_scope().name, scope]))
    by_scope = _made.setdefault(graph, {})
    shared = by_scope.get(scope)
    made: list[tf.Variable] = []

    def create(next_creator, **kwargs):
        if (kwargs.get("name") or "").startswith(f"{scope}/"):
            return next_creator(**kwargs)  # of tf.get_variable, which shares by name
        if shared is not None and len(made) < len(shared):
            variable = shared[len(made)]
            _check_shape(variable, kwargs.get("shape"), scope)
        else:
            variable = next_creator(**kwargs)
        made.append(variable)
        return variable

    with (
        _from_the_beginning(f"{graph.seed}/{scope}"),
        _updates_collected(),
        tf.variable_creator_scope(create),
    ):
        yield
    by_scope.setdefault(scope, made)


def _check_shape(variable: tf.Variable, shape: object, scope: str) -> None:
    if shape is not None and not variable.shape.is_compatible_with(shape):
        raise InputError(
            f"The {scope} makes a variable of the shape {list(shape)} where it made {variable.name} of the "
            f"shape {variable.shape.as_list()} in an earlier call. It must make the same variables in "
            "each call."
        )


@contextlib.contextmanager
def _from_the_beginning(seed: str) -> Iterator[None]:
    """Within: Keras counts its layers' names, and draws their seeds, from the beginning."""
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        if keras := sys.modules.get("keras.src.backend.common.global_state"):
            key = "object_name_uids"
            before = keras.get_global_attribute(key)
            keras.set_global_attribute(key, defaultdict(int))
            stack.callback(keras.set_global_attribute, key, before)
        if tf_keras := sys.modules.get("tf_keras.src.backend"):
            counts, graph = tf_keras.PER_GRAPH_OBJECT_NAME_UIDS, tf.get_default_graph()
            if graph in counts:
                stack.callback(counts.__setitem__, graph, counts[graph])
            counts[graph] = defaultdict(int)
        yield


@contextlib.contextmanager
def _updates_collected() -> Iterator[None]:
    """Within: what Keras layers assign to their variables joins the updates of a training step."""
    with contextlib.ExitStack() as stack:
        if core := sys.modules.get("keras.src.backend.tensorflow.core"):

            def assign(variable, value):
                _add_update(variable._value.assign(tf.cast(value, variable._value.dtype)))

            stack.enter_context(mock.patch.object(core.Variable, "_direct_assign", assign))
        if layers := sys.modules.get("tf_keras.src.engine.base_layer_v1"):
            original = layers.Layer.add_update

            def add_update(layer, updates):
                known = len(layer._updates)
                original(layer, updates)
                for update in layer._updates[known:]:
                    _add_update(update)

            stack.enter_context(mock.patch.object(layers.Layer, "add_update", add_update))
        yield


def _add_update(update) -> None:
    # Compared by identity: tensors may compare by value.
    known = tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)
    if update is not None and all(update is not other for other in known):
        known.append(update)
