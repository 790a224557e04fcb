# SPDX-License-Identifier: Apache-2.0
"""The export of a trained model as a TF-Hub module, whose graph is built before the first step.

What cannot be exported is said before any time goes into its training.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from tensorflow_hub import native_module

from vae_ortho_plugin.engine import estimator, graphs
from vae_ortho_plugin.errors import InputError

_PYTHON_FUNCTIONS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


@dataclasses.dataclass
class _Prepared:
    """The export that has been built ahead.

    Attributes:
        variables: shape of each variable of the module, by name.
        spec: the module's hub.ModuleSpec; None before it is built and after it has been used.
        building: whether it is built ahead right now.
    """

    variables: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    spec: object = None
    building: bool = False


_prepared: ContextVar[_Prepared | None] = ContextVar("prepared_export", default=None)


@contextlib.contextmanager
def prepared_before_training() -> Iterator[estimator.Check]:
    """Within: dlib's export takes what the yielded function has built before the first step."""
    token = _prepared.set(_Prepared())
    try:
        yield _prepare
    finally:
        _prepared.reset(token)


def create_module_spec(module_fn: Callable, tags_and_args=None, drop_collections=None):
    """hub.create_module_spec for dlib's export, without the collections that a module cannot hold."""
    prepared = _prepared.get()
    if prepared is not None and prepared.spec is not None:
        spec, prepared.spec = prepared.spec, None
        return spec

    def without_other_collections(**arguments):
        module_fn(**arguments)
        graph = tf.get_default_graph()
        if prepared is not None:
            _check_operations(graph)
            prepared.variables |= _shapes(graph)
        for key in native_module.get_unsupported_collections(graph.get_all_collection_keys()):
            graph.clear_collection(key)

    with graphs.settings():
        spec = hub.create_module_spec(without_other_collections, tags_and_args, drop_collections)
    if prepared is not None and prepared.building:
        prepared.spec = spec
        return _NotYet()
    return spec


class _NotYet:
    """Stands in for the spec of a model that has not been trained."""

    def export(self, *_, **__) -> None:
        pass


def _prepare(model_fn: Callable, observation_shape: list[int], graph: tf.Graph) -> None:
    """Builds the export of the model that is going to be trained.

    Args:
        model_fn: the model function.
        observation_shape: of an observation.
        graph: in which it will be trained.

    Raises:
        InputError: the model cannot be exported, or its variables would not be those that are trained.
    """
    from disentanglement_lib.methods.unsupervised import gaussian_encoder_model

    model = getattr(model_fn, "__self__", None)
    if not isinstance(model, gaussian_encoder_model.GaussianEncoderModel):
        return
    prepared = _prepared.get()
    prepared.building, prepared.spec, prepared.variables = True, None, {}
    try:
        gaussian_encoder_model.export_as_tf_hub(model, observation_shape, None, None)
    except InputError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"This model can be trained, but not exported, so that its training would be lost: {reason} "
            "Layers and variables must be made inside of the encoder and the decoder, which are called once "
            "for each graph."
        ) from error
    finally:
        prepared.building = False
    _check_variables(prepared.variables, _shapes(graph))


def _shapes(graph: tf.Graph) -> dict[str, list[int]]:
    variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return {variable.op.name: variable.shape.as_list() for variable in variables}


def _check_variables(exported: dict[str, list[int]], trained: dict[str, list[int]]) -> None:
    """Raises InputError unless every variable of the export is one of the training."""
    others = [name for name, shape in exported.items() if trained.get(name) != shape]
    if others:
        raise InputError(
            f"This model makes the variables {', '.join(sorted(others))} for its export, and the training has "
            "no such variables: it would be exported with other weights than the trained ones. Make its "
            "variables by tf.get_variable, tf.layers or tf.keras.layers in the functions "
            "encoder.encoder_fn and decoder.decoder_fn, or inside of a named tf.variable_scope."
        )


def _check_operations(graph: tf.Graph) -> None:
    """Raises InputError if the graph calls Python functions, which no other process has."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    names = [node.name for node in nodes if node.op in _PYTHON_FUNCTIONS]
    if names:
        raise InputError(
            f"This model calls a Python function in its graph ({names[0]}, by tf.py_func or "
            "tf.numpy_function), which no other process could call after the export. Use TensorFlow's "
            "operations instead."
        )
