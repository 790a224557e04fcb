# SPDX-License-Identifier: Apache-2.0
"""dlib_visualize_model: also for data that are no images or have no discrete factors."""

import functools
import types
from unittest import mock

import gin
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import gin_files
from vae_ortho_plugin.dlib.steps import data_set, guards, output_directory


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module visualize.visualize_model."""
    dlib_visualize = module.visualize

    @functools.wraps(dlib_visualize)
    def visualize(model_dir, output_dir, overwrite=False, **kwargs):
        guards.need_module(model_dir, "--model_dir", "a trained model")
        guards.need_output(output_dir)
        try:
            with data_set.of_finished_step(model_dir, "train"):
                dataset = module.named_data.get_named_ground_truth_data()
            with output_directory.unfinished(output_dir, overwrite) as partial:
                if dataset.observation_shape[1:] == [1, 1]:
                    from vae_ortho_plugin.dlib.vector_pictures import visualize_vector_data

                    return visualize_vector_data(model_dir, dataset, partial)
                with mock.patch.multiple(module, **_replacements(model_dir, dataset)):
                    return dlib_visualize(model_dir, partial, True, **kwargs)
        finally:
            gin.clear_config()

    module.visualize = visualize


def _replacements(model_dir: str, dataset: GroundTruthData) -> dict[str, object]:
    """What dlib's module calls differently, by name."""
    config = gin_files.step_config(model_dir, "train")
    values = {name: repr(value) for name, value in config.items()}
    # dlib reads train.gin by lines, and so neither macros nor values of several lines.
    replaced = {"results": types.SimpleNamespace(gin_dict=lambda _: values)}
    if config.get("reconstruction_loss.activation") == "linear":
        # dlib knows two activations; the one named here is then the identity.
        values["reconstruction_loss.activation"] = "'logits'"
        replaced["sigmoid"] = lambda raw: raw
    if getattr(dataset, "factor_kinds", None) == []:
        # There are no factors to draw interventions on.
        replaced["vis_all_interventional_effects"] = lambda *_: None
    return replaced
