# SPDX-License-Identifier: Apache-2.0
"""The export of a trained model as a TF-Hub module, whose graph is built before the first step.

What cannot be exported is said before any time goes into its training run.
"""

import functools
import types
from collections.abc import Callable
from unittest import mock

import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from tensorflow_hub import native_module

from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.errors import InputError

_PYTHON_FUNCTIONS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
# Attribute of a model whose export was built before its first step: the hub.ModuleSpec that is exported in the end.
_BUILT = "_vae_ortho_plugin_export"


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module methods.unsupervised.gaussian_encoder_model."""
    module.hub = types.SimpleNamespace(
        add_signature=module.hub.add_signature, create_module_spec=_create_module_spec
    )
    dlib_export = module.export_as_tf_hub

    @functools.wraps(dlib_export)
    def export_as_tf_hub(model, observation_shape, checkpoint_path, export_path, *args, **kwargs):
        spec = vars(model).pop(_BUILT, None)
        if spec is None:
            return dlib_export(
                model, observation_shape, checkpoint_path, export_path, *args, **kwargs
            )
        return spec.export(export_path, checkpoint_path=checkpoint_path)

    module.export_as_tf_hub = export_as_tf_hub


def _create_module_spec(
    module_fn: Callable,
    tags_and_args=None,
    drop_collections=None,
    look_at: Callable[[tf.Graph], object] = lambda graph: None,
) -> hub.ModuleSpec:
    """hub.create_module_spec for dlib's export, without the collections that a module cannot hold."""

    def without_other_collections(**arguments):
        module_fn(**arguments)
        graph = tf.get_default_graph()
        look_at(graph)
        for key in native_module.get_unsupported_collections(graph.get_all_collection_keys()):
            graph.clear_collection(key)

    with graphs.settings():
        return hub.create_module_spec(without_other_collections, tags_and_args, drop_collections)


def build_before_training(
    model_fn: Callable, observation_shape: list[int] | None, graph: tf.Graph
) -> None:
    """Builds the export of the model that will be trained in `graph`; dlib's export then takes that.

    Raises:
        InputError: the model cannot be exported, or its variables would not be those that are trained.
    """
    from disentanglement_lib.methods.unsupervised import gaussian_encoder_model as module

    model = getattr(model_fn, "__self__", None)
    if not isinstance(model, module.GaussianEncoderModel):
        return
    specs, variables = [], {}

    def look_at(graph: tf.Graph) -> None:
        definition = graph.as_graph_def()
        nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
        for node in nodes:
            if node.op in _PYTHON_FUNCTIONS:
                raise InputError(
                    f"This model calls a Python function in its graph ({node.name}, by tf.py_func or "
                    "tf.numpy_function), which no other process could call after the export. Use "
                    "TensorFlow's operations instead."
                )
        variables.update(_shapes(graph))

    def create_module_spec(*arguments, **named):
        specs.append(_create_module_spec(*arguments, **named, look_at=look_at))
        return mock.Mock()  # there is nothing to export yet

    try:
        with mock.patch.object(module.hub, "create_module_spec", create_module_spec):
            module.export_as_tf_hub(model, observation_shape, None, None)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            "This model can be trained, but not exported, so that its training run would be lost: "
            f"{graphs.reason(error)} Layers and variables must be made inside of the encoder and the decoder, "
            "which are called once for each graph."
        ) from error
    trained = _shapes(graph)
    if others := [name for name, shape in variables.items() if trained.get(name) != shape]:
        raise InputError(
            f"This model makes the variables {', '.join(sorted(others))} for its export, and its training run "
            "has no such variables: it would be exported with other weights than the trained ones. Make its "
            "variables by tf.get_variable, tf.layers or tf.keras.layers in the functions "
            "encoder.encoder_fn and decoder.decoder_fn, or inside of a named tf.variable_scope."
        )
    setattr(model, _BUILT, specs[0])


def _shapes(graph: tf.Graph) -> dict[str, list[int]]:
    variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return {variable.op.name: variable.shape.as_list() for variable in variables}
