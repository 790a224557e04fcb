# SPDX-License-Identifier: Apache-2.0
"""dlib_postprocess: the guards of every step, and the parameters of the model's data set for 'auto'."""

import functools
import types

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps import data_set, guards, lazy_module, output_directory


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module postprocessing.postprocess."""
    module.hub = types.SimpleNamespace(
        eval_function_for_module=lazy_module.eval_function_for_module
    )
    postprocess = output_directory.written_when_complete(module.postprocess, "output_dir")

    @functools.wraps(module.postprocess)
    def postprocess_same_data(model_dir, *args, **kwargs):
        if not data_set.is_auto():
            return postprocess(model_dir, *args, **kwargs)
        with data_set.of_finished_step(model_dir, "train"):
            return postprocess(model_dir, *args, **kwargs)

    module.postprocess = gin_values.checked(postprocess_same_data)
    module.postprocess_with_gin = guards.guarded(
        module.postprocess_with_gin, guards.reads_a_module("model_dir", "--model_dir")
    )
