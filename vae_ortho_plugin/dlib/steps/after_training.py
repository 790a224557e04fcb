# SPDX-License-Identifier: Apache-2.0
"""dlib_postprocess, dlib_evaluate and dlib_reason: the steps that read what a finished step wrote.

dlib opens the TF-Hub module for every metric and every postprocessing. Here it is opened where one of them asks
it for something: most of the plugin's metrics ask the trained model instead, and the mean representation asks
nothing.
"""

import contextlib
import functools
import types
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.decoder.trained_model import HubModule
from vae_ortho_plugin.dlib.steps import data_set, guards
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.dlib.steps.output_directory import written_when_complete
from vae_ortho_plugin.files import gin_files


def wrap_postprocess(module: types.ModuleType) -> None:
    """Changes dlib's module postprocessing.postprocess."""
    module.hub = types.SimpleNamespace(eval_function_for_module=eval_function_for_module)
    postprocess = written_when_complete(module.postprocess)

    @functools.wraps(module.postprocess)
    def postprocess_same_data(model_dir, *args, **kwargs):
        with data_set.of_finished_step_if_auto(model_dir, "train"):
            return postprocess(model_dir, *args, **kwargs)

    module.postprocess = postprocess_same_data
    module.postprocess_with_gin = guards.guarded(
        module.postprocess_with_gin, guards.reads_a_module("model_dir", "--model_dir")
    )


def wrap_evaluate(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.evaluate: it takes trained models too, not only postprocessed ones."""
    # Here, because it registers the metrics, which the other steps do not know.
    from vae_ortho_plugin.decoder.metrics import evaluated

    module.hub = types.SimpleNamespace(eval_function_for_module=eval_function_for_module)
    evaluate = written_when_complete(module.evaluate)

    @functools.wraps(module.evaluate)
    def evaluate_model_too(model_dir, *args, **kwargs):
        is_postprocessed = gin_files.gin_file(model_dir, "postprocess").exists()
        with (
            data_set.of_finished_step_if_auto(
                model_dir, "postprocess" if is_postprocessed else "train"
            ),
            evaluated.model_dir_from(functools.partial(find_model_dir, model_dir)),
        ):
            return evaluate(model_dir, *args, **kwargs)

    module.evaluate = evaluate_model_too
    module.evaluate_with_gin = guards.guarded(
        module.evaluate_with_gin, guards.reads_a_module("model_dir", "--input_dir")
    )


def wrap_reason(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.abstract_reasoning.reason."""

    def prepare(arguments: dict) -> str:
        # Without --input_dir, dlib trains on the observations.
        if arguments["input_dir"] is not None:
            guards.need_module(arguments["input_dir"], "--input_dir", "what dlib_postprocess wrote")
        return guards.need_output(arguments["output_dir"])

    module.reason = written_when_complete(module.reason)
    module.reason_with_gin = guards.guarded(module.reason_with_gin, prepare)


@contextlib.contextmanager
def eval_function_for_module(path: str, tags: set[str] | None = None) -> Iterator["_Module"]:
    """hub.eval_function_for_module for dlib's calls, with the work done at the first call of the function.

    Args:
        path: directory of the module.
        tags: of the graph variant.
    """
    with tf.get_default_graph().as_default(), contextlib.ExitStack() as stack:
        yield _Module(path, tags, stack)


class _Module:
    """Computes the outputs of a module's signatures. A trained model's representation is its mean."""

    def __init__(self, path: str, tags: set[str] | None, stack: contextlib.ExitStack):
        self._path, self._tags, self._stack = path, tags, stack
        self._signatures: dict[str, tuple[dict, dict]] = {}

    def __call__(
        self, inputs: Mapping[str, np.ndarray], signature: str = "default", as_dict: bool = False
    ) -> dict[str, np.ndarray] | np.ndarray:
        """The outputs by name, or that of the name 'default' without `as_dict`."""
        if signature not in self._signatures:
            self._signatures[signature] = self._apply(signature)
        feeds, outputs = self._signatures[signature]
        values = self._opened.session.run(
            outputs, {feeds[name]: value for name, value in inputs.items()}
        )
        return values if as_dict else values["default"]

    def _apply(self, signature: str) -> tuple[dict, dict]:
        if signature == "representation" and signature not in self._opened.signatures:
            feeds, outputs = self._opened.apply("gaussian_encoder")
            return feeds, {"default": outputs["mean"]}
        return self._opened.apply(signature)

    @functools.cached_property
    def _opened(self) -> HubModule:
        opened = HubModule(self._path, self._tags)
        self._stack.callback(opened.session.close)
        return opened
