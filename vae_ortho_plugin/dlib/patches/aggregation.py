# SPDX-License-Identifier: Apache-2.0
"""dlib_aggregate_results: every digit is kept, patterns without matches and damaged results are answered.

Files are read by threads.
"""

import functools
import json
import os
import types
from concurrent.futures import ThreadPoolExecutor

from vae_ortho_plugin.dlib.json_values import json_values
from vae_ortho_plugin.errors import InputError

_FILES_AT_A_TIME = 16


def _aggregate_results(module: types.ModuleType) -> None:
    # Not by dlib's pool of processes: it is never closed and, forked from a process that has threads, may
    # wait for ever. Nor by dlib's table: pandas writes ten decimals.
    @functools.wraps(module.aggregate_results_to_json)
    def aggregate_results_to_json(result_file_pattern, output_path):
        if not result_file_pattern:
            raise InputError("No results. Name their files with --result_file_pattern='PATTERN'.")
        files = module.gfile.Glob(result_file_pattern)
        if not files:
            raise InputError(
                f"No file matches --result_file_pattern={result_file_pattern} (in {os.getcwd()}). dlib "
                "writes such files as DIRECTORY/results/aggregate/evaluation.json. Quote the pattern, so "
                "that the shell does not expand it."
            )
        with ThreadPoolExecutor(_FILES_AT_A_TIME) as pool:
            results = list(pool.map(_result, files))
        with module.gfile.Open(output_path, "w") as file:
            json.dump(_columns(results), file)

    @functools.wraps(module.load_aggregated_json_results)
    def load_aggregated_json_results(source_path):
        return module.pd.read_json(source_path, orient="columns", precise_float=True)

    module.aggregate_results_to_json = aggregate_results_to_json
    module.load_aggregated_json_results = load_aggregated_json_results


def _columns(results: list[dict]) -> dict[str, dict[str, object]]:
    """Column -> number of the result -> value, as a data frame's `to_json`; None where there is none."""
    names = dict.fromkeys(name for result in results for name in result)
    return {name: {str(k): r.get(name) for k, r in enumerate(results)} for name in names}


def _result(file: str) -> dict:
    """A result of dlib with its file's path.

    Raises:
        InputError: the file is damaged or no result.
    """
    try:
        with open(file, encoding="utf-8") as opened:
            result = json.load(opened)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is no result of dlib, or it is damaged: {error}.") from error
    if not isinstance(result, dict):
        raise InputError(f"{file} is no result of dlib: it holds a {type(result).__name__}.")
    return json_values({**result, "path": file})[0]


PATCHES = {"aggregate_results": _aggregate_results}
