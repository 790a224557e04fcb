# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's modules, in memory, right after their import.

There is one function for each module. They open dlib's closed lists (data sets, studies), register the plugin's
gin configurables, and wrap dlib's steps in those of the package `steps`.
"""

import bisect
import functools
import os
import shutil
import types
from collections.abc import Callable

from vae_ortho_plugin.dlib import import_path, json_values
from vae_ortho_plugin.dlib.patches import metrics
from vae_ortho_plugin.dlib.steps import data_set
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError


def apply(module: types.ModuleType) -> None:
    """Applies the patch of a dlib module that has just been imported."""
    name = module.__name__.rpartition(".")[2]
    patch = metrics.PATCHES.get(name) or _of_other_modules()[name]
    patch(module)


def _results(module: types.ModuleType) -> None:
    def copydir(path_to_old_dir, path_to_new_dir):
        # distutils' copy_tree does not make a directory again that it made once and that was deleted.
        shutil.copytree(path_to_old_dir, path_to_new_dir, dirs_exist_ok=True)

    module.copydir = copydir
    save_dict = module.save_dict

    @functools.wraps(save_dict)
    def save_as_json(config_path, dict_with_info):
        values, notes = json_values.json_values(dict_with_info)
        for note in notes:
            progress.say(f"note: in {os.path.basename(config_path)}, {note}")
        save_dict(config_path, values)

    module.save_dict = save_as_json
    save_gin = module.save_gin

    @functools.wraps(save_gin)
    def save_gin_with_import_path(config_path):
        save_gin(config_path)
        with open(config_path, "a", encoding="utf-8") as file:
            file.write(import_path.comment())

    module.save_gin = save_gin_with_import_path

    update = module.update_result_directory

    @functools.wraps(update)
    def update_result_directory(result_directory, step_name, results_dict, *args, **kwargs):
        return update(
            result_directory, step_name, {**results_dict, **_origin_of_data()}, *args, **kwargs
        )

    module.update_result_directory = update_result_directory


def _origin_of_data() -> dict[str, str]:
    """The entry of every result that says what the data set is, unless it is the published one."""
    from vae_ortho_plugin.data.files.origin import origin

    name = data_set.bound("dataset.name")
    data = origin(name) if isinstance(name, str) else None
    return {"data": data} if data else {}


def _util(module: types.ModuleType) -> None:
    from vae_ortho_plugin.data.sampling.resident import resident_observations
    from vae_ortho_plugin.engine import inputs

    generator_dataset = module.tf_data_set_from_ground_truth_data

    @functools.wraps(generator_dataset)
    def tf_data_set_from_ground_truth_data(ground_truth_data, random_seed):
        resident = resident_observations(ground_truth_data)
        if resident is None:
            return generator_dataset(ground_truth_data, random_seed)
        return inputs.ResidentDataset(
            *resident,
            random_seed,
            lambda: generator_dataset(ground_truth_data, random_seed),
            lambda random_state: ground_truth_data.sample_observations(1, random_state)[0],
        )

    module.tf_data_set_from_ground_truth_data = tf_data_set_from_ground_truth_data


def _train(module: types.ModuleType) -> None:
    # Their import registers them.
    import vae_ortho_plugin.decoder.tracking
    import vae_ortho_plugin.models  # noqa: F401
    from vae_ortho_plugin.dlib.steps import train

    train.wrap(module)


def _postprocess(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import postprocess

    postprocess.wrap(module)


def _evaluate(module: types.ModuleType) -> None:
    import vae_ortho_plugin.decoder.metrics  # noqa: F401  registers them
    from vae_ortho_plugin.dlib.steps import evaluate

    evaluate.wrap(module)


def _reason(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import reason

    reason.wrap(module)


def _reproduce(module: types.ModuleType) -> None:
    from vae_ortho_plugin.study.plan.dlib_study import STUDY

    for name, study in module.STUDIES.items():
        study.get_model_config = _within_study(name, study.get_model_config)
    module.STUDIES = _Studies(module.STUDIES, vae_pca_v1=STUDY)


def _within_study(name: str, configure: Callable) -> Callable:
    """A study's get_model_config that refuses a number without a model; dlib counts from the end, or fails."""

    @functools.wraps(configure)
    def get_model_config(model_num=0):
        if model_num < 0:
            raise InputError(f"model_num = {model_num}; it must be 0 or more.")
        try:
            return configure(model_num)
        except IndexError:
            last = _last_model(configure)
        raise InputError(f"Study {name} has no model_num {model_num}; it has 0 to {last}.")

    return get_model_config


def _last_model(configure: Callable) -> int:
    """The highest number of a study's models."""

    def is_missing(number: int) -> bool:
        try:
            configure(number)
        except IndexError:
            return True
        return False

    return bisect.bisect_left(range(1_000_000), True, key=is_missing) - 1


class _Studies(dict):
    def __missing__(self, name):
        raise InputError(f"There is no study named {name!r}. Known: {', '.join(sorted(self))}.")


@functools.cache
def _of_other_modules() -> dict[str, Callable]:
    # Late, because their imports start TensorFlow, which the metrics do without.
    from vae_ortho_plugin.dlib.patches import aggregation, data, models, visualize

    return {
        **aggregation.PATCHES,
        **data.PATCHES,
        **models.PATCHES,
        **visualize.PATCHES,
        "results": _results,
        "util": _util,
        "train": _train,
        "postprocess": _postprocess,
        "evaluate": _evaluate,
        "reason": _reason,
        "reproduce": _reproduce,
    }
