# SPDX-License-Identifier: Apache-2.0
"""Where the trained model behind an evaluated directory lies, in the layout of dlib_reproduce."""

import json
import os
from pathlib import Path

from vae_ortho_plugin.decoder.trained_model import module_signatures
from vae_ortho_plugin.errors import InputError


def find_model_dir(evaluated_dir: str, metric: str = "dto") -> str:
    """The directory of the trained model behind the directory that dlib evaluates.

    Args:
        evaluated_dir: a trained model's directory, or one that dlib_postprocess wrote.
        metric: name of the metric that asks, for the error message.

    Raises:
        InputError: the model is not where dlib_reproduce puts it.
    """
    evaluated_dir = os.path.abspath(evaluated_dir)
    parent = os.path.dirname(evaluated_dir)
    candidates = [evaluated_dir, os.path.join(parent, "model")]
    if os.path.basename(parent) == "postprocessed":
        candidates.append(os.path.join(os.path.dirname(parent), "model"))
    for candidate in candidates:
        if _has_model(candidate) and _same_run(candidate, evaluated_dir):
            return candidate
    raise InputError(
        f"{metric} needs the trained model's decoder, and there is none for {evaluated_dir}. "
        "Evaluate the directory that dlib_train wrote, or keep it under the name 'model' beside the "
        "directory 'postprocessed' (or beside the evaluated one), as dlib_reproduce does, or set "
        f"{metric}.model_dir to it."
    )


def _has_model(directory: str) -> bool:
    return {"gaussian_encoder", "decoder"} <= module_signatures(os.path.join(directory, "tfhub"))


def _same_run(model_dir: str, evaluated_dir: str) -> bool:
    """Whether both have the results of one training; true where either has none."""
    runs = set()
    for directory in (model_dir, evaluated_dir):
        path = Path(directory, "results", "json", "train_results.json")
        if not path.exists():
            return True
        runs.add(json.loads(path.read_text(encoding="utf-8")).get("uuid"))
    return len(runs) == 1
