# SPDX-License-Identifier: Apache-2.0
"""dlib_aggregate_results: every digit is kept, patterns without matches and damaged results are answered."""

import functools
import json
import os
import types

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.run.aggregation import columns_of


def _aggregate_results(module: types.ModuleType) -> None:
    # Not by dlib's pool of processes: it is never closed and, forked from a process that has threads, may
    # wait for ever. Nor by dlib's table: pandas writes ten decimals.
    @functools.wraps(module.aggregate_results_to_json)
    def aggregate_results_to_json(result_file_pattern, output_path):
        if not result_file_pattern:
            raise InputError("No results. Name their files with --result_file_pattern='PATTERN'.")
        files = sorted(module.gfile.Glob(result_file_pattern))
        if not files:
            raise InputError(
                f"No file matches --result_file_pattern={result_file_pattern} (in {os.getcwd()}). dlib "
                "writes such files as DIRECTORY/results/aggregate/evaluation.json. Quote the pattern, so "
                "that the shell does not expand it."
            )
        columns = columns_of(files, files)
        with module.gfile.Open(output_path, "w") as file:
            json.dump(columns, file)

    @functools.wraps(module.load_aggregated_json_results)
    def load_aggregated_json_results(source_path):
        return module.pd.read_json(source_path, orient="columns", precise_float=True)

    module.aggregate_results_to_json = aggregate_results_to_json
    module.load_aggregated_json_results = load_aggregated_json_results


PATCHES = {"aggregate_results": _aggregate_results}
