# SPDX-License-Identifier: Apache-2.0
"""dlib_evaluate: as dlib_postprocess, and trained models too, not only postprocessed ones."""

import contextlib
import functools
import types
from collections.abc import Iterator
from unittest import mock

import numpy as np

from vae_ortho_plugin import gin_files
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps import data_set, guards, lazy_module, output_directory
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.evaluate."""
    module.hub = types.SimpleNamespace(
        eval_function_for_module=lazy_module.eval_function_for_module
    )
    evaluate = output_directory.written_when_complete(module.evaluate, "output_dir")

    @functools.wraps(module.evaluate)
    def evaluate_model_too(model_dir, *args, **kwargs):
        is_trained_model = not gin_files.gin_file(model_dir, "postprocess").exists()
        with contextlib.ExitStack() as stack:
            if data_set.is_auto():
                step = "train" if is_trained_model else "postprocess"
                stack.enter_context(data_set.of_finished_step(model_dir, step))
            stack.enter_context(
                evaluated.model_dir_from(functools.partial(find_model_dir, model_dir))
            )
            if is_trained_model:
                stack.enter_context(_mean_as_representation(module.hub))
            return evaluate(model_dir, *args, **kwargs)

    module.evaluate = gin_values.checked(evaluate_model_too)
    module.evaluate_with_gin = guards.guarded(
        module.evaluate_with_gin, guards.reads_a_module("model_dir", "--input_dir")
    )


@contextlib.contextmanager
def _mean_as_representation(hub: types.ModuleType) -> Iterator[None]:
    """Within: a trained model's module answers to the signature 'representation' with its mean."""
    original = hub.eval_function_for_module

    @contextlib.contextmanager
    def eval_function_for_module(path, *args, **kwargs):
        with original(path, *args, **kwargs) as function:

            def evaluate(inputs, signature, as_dict=None):
                if signature != "representation":
                    return function(inputs, signature=signature, as_dict=as_dict)
                mean = function(inputs, signature="gaussian_encoder", as_dict=True)["mean"]
                return {"default": np.array(mean)}

            yield evaluate

    with mock.patch.object(hub, "eval_function_for_module", eval_function_for_module):
        yield
