# SPDX-License-Identifier: Apache-2.0
"""Metrics of a trained model, each evaluated as dlib_evaluate does it."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from disentanglement_lib.evaluation import evaluate as dlib_evaluation

from vae_ortho_plugin.arrays import names
from vae_ortho_plugin.arrays.dlib_metrics import as_input_error, default_settings
from vae_ortho_plugin.arrays.given_arrays import left_as_they_were
from vae_ortho_plugin.decoder.model_cache import CACHE
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files


def evaluated(
    directory: str, metrics: Sequence[str] | None, seed: int, bindings: Sequence[str]
) -> tuple[dict, dict[str, dict], dict[str, str]]:
    """What was evaluated, the metrics' results and the messages of those that failed; arguments as `evaluate`.

    Raises:
        InputError: a name is unknown.
    """
    chosen = names.of_a_model(metrics)
    about: dict = {"model": directory, "seed": seed, "settings": {}}
    values, errors = {}, {}
    with left_as_they_were(), CACHE.switched_on(), tempfile.TemporaryDirectory() as scratch:
        for name in chosen:
            output = Path(scratch, name)
            step = [
                f"evaluation.evaluation_fn = @{name}",
                f"evaluation.random_seed = {seed}",
                "dataset.name = 'auto'",
                *default_settings([name], None),
            ]
            np.random.seed(seed)  # of dlib's classifiers
            try:
                with as_input_error():
                    dlib_evaluation.evaluate_with_gin(
                        directory, str(output), False, [], [*step, *bindings]
                    )
            except InputError as error:
                errors[name] = str(error)
                continue
            results = output / "results" / "json" / "evaluation_results.json"
            found = json.loads(results.read_text(encoding="utf-8"))
            del found["elapsed_time"], found["uuid"]  # of the step
            values[name] = found
            about["settings"] |= gin_files.step_config(output, "evaluation")
    return about, values, errors
