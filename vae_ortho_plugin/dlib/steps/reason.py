# SPDX-License-Identifier: Apache-2.0
"""dlib_reason: the guards of every step."""

import types

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps import guards, output_directory


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.abstract_reasoning.reason."""
    reason = output_directory.written_when_complete(module.reason, "output_dir")
    module.reason = gin_values.checked(reason)
    module.reason_with_gin = guards.guarded(module.reason_with_gin, _prepare)


def _prepare(arguments: dict) -> str:
    # Without --input_dir, dlib trains on the observations.
    if arguments["input_dir"] is not None:
        guards.need_module(arguments["input_dir"], "--input_dir", "what dlib_postprocess wrote")
    return guards.need_output(arguments["output_dir"])
