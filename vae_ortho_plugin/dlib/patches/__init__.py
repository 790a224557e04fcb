# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's modules, in memory, right after their import.

There is one function for each module. They open dlib's closed lists (data sets, studies), register the plugin's
gin configurables, and wrap dlib's steps in those of the package `steps`.
"""

import bisect
import functools
import types
from collections.abc import Callable

from vae_ortho_plugin.dlib.patches import metrics
from vae_ortho_plugin.errors import InputError


def apply(module: types.ModuleType) -> None:
    """Applies the patch of a dlib module that has just been imported."""
    name = module.__name__.rpartition(".")[2]
    patch = metrics.PATCHES.get(name) or _of_other_modules()[name]
    patch(module)


def _util(module: types.ModuleType) -> None:
    from vae_ortho_plugin.data.sampling.resident import resident_observations
    from vae_ortho_plugin.engine.in_graph import inputs

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
    from vae_ortho_plugin.dlib.steps import after_training

    after_training.wrap_postprocess(module)


def _evaluate(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import after_training

    after_training.wrap_evaluate(module)


def _reason(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import after_training

    after_training.wrap_reason(module)


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
    from vae_ortho_plugin.dlib.patches import data, models, utils, visualize

    return {
        **data.PATCHES,
        **models.PATCHES,
        **utils.PATCHES,
        **visualize.PATCHES,
        "util": _util,
        "train": _train,
        "postprocess": _postprocess,
        "evaluate": _evaluate,
        "reason": _reason,
        "reproduce": _reproduce,
    }
