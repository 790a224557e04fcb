# SPDX-License-Identifier: Apache-2.0
"""dlib_train: a default for --model_dir, and the guards of every step."""

import os
import sys
import types

from vae_ortho_plugin.dlib.steps import guards, output_directory


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module methods.unsupervised.train."""
    module.train = output_directory.written_when_complete(module.train, "model_dir")
    module.train_with_gin = guards.guarded(module.train_with_gin, _prepare)


def _prepare(arguments: dict) -> str:
    if arguments["model_dir"] is None:
        files = map(os.path.basename, arguments["gin_config_files"])
        name = "-".join(os.path.splitext(file)[0] for file in files) or "model"
        arguments["model_dir"] = os.path.join("output", name)
        print(
            f"vae_ortho_plugin: the model goes to {arguments['model_dir']} (no --model_dir given)",
            file=sys.stderr,
        )
    return arguments["model_dir"]
