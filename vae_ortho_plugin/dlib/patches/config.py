# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's studies."""

import bisect
import functools
import types
from collections.abc import Callable

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.dlib_study import STUDY


def patch_reproduce(module: types.ModuleType) -> None:
    """Changes dlib's module config.reproduce: it has the plugin's study too, and refuses unknown ones."""
    for name, study in module.STUDIES.items():
        study.get_model_config = _within_study(name, study.get_model_config)
    module.STUDIES = _Studies(module.STUDIES, vae_pca_v1=STUDY)


def _within_study(name: str, configure: Callable) -> Callable:
    """A study's get_model_config that refuses a number without a model; dlib counts from the end, or fails."""

    def is_missing(number: int) -> bool:
        try:
            configure(number)
        except IndexError:
            return True
        return False

    @functools.wraps(configure)
    def get_model_config(model_num=0):
        if model_num < 0:
            raise InputError(f"model_num = {model_num}; it must be 0 or more.")
        try:
            return configure(model_num)
        except IndexError as error:
            last = bisect.bisect_left(range(model_num), True, key=is_missing) - 1
            raise InputError(
                f"Study {name} has no model_num {model_num}; it has 0 to {last}."
            ) from error

    return get_model_config


class _Studies(dict):
    def __missing__(self, name):
        raise InputError(f"There is no study named {name!r}. Known: {', '.join(sorted(self))}.")
