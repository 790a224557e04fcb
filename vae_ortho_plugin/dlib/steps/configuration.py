# SPDX-License-Identifier: Apache-2.0
"""How the configuration of a training run that is to continue differs from the current one."""

from collections.abc import Collection
from pathlib import Path

import gin

from vae_ortho_plugin.engine.settings import WITHOUT_EFFECT
from vae_ortho_plugin.files import gin_files

# Parameters that change neither the weights nor what is measured while a model trains.
_WITHOUT_EFFECT = {*WITHOUT_EFFECT, "model.eval_steps", "model.name", "model.model_num"}
_MOST_DIFFERENCES = 5


def differences(config: Path, but: Collection[str] = ()) -> list[str]:
    """How the parameters in a file differ from the current ones, such as 'vae.beta = 4.0 there, 1.0 now'.

    Macros are compared where they are used. Those in `but` may differ.
    """
    there = gin_files.read_bindings(config) if config.is_file() else {}
    now = gin_files.parse_bindings(gin.config_str(), "the configuration")
    missing = "not bound"
    return [
        f"{name} = {there.get(name, missing)!r} there, {now.get(name, missing)!r} now".replace(
            repr(missing), missing
        )
        for name in sorted({*there, *now} - {*_WITHOUT_EFFECT, *but})
        if "." in name and repr(there.get(name, missing)) != repr(now.get(name, missing))
    ]


def joined(found: list[str]) -> str:
    """The first differences for an error message."""
    shown = "; ".join(found[:_MOST_DIFFERENCES])
    if len(found) > _MOST_DIFFERENCES:
        shown += f"; and {len(found) - _MOST_DIFFERENCES} more"
    return shown
