# SPDX-License-Identifier: Apache-2.0
"""dlib_aggregate_results: patterns without matches and damaged results are answered."""

import functools
import json
import os
import types

from vae_ortho_plugin.errors import InputError


def _aggregate_results(module: types.ModuleType) -> None:
    aggregate = module.aggregate_results_to_json

    @functools.wraps(aggregate)
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
        try:
            return aggregate(result_file_pattern, output_path)
        except Exception:
            for file in files:
                _check_result(file)
            raise

    module.aggregate_results_to_json = aggregate_results_to_json


def _check_result(file: str) -> None:
    try:
        with open(file, encoding="utf-8") as opened:
            result = json.load(opened)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is no result of dlib, or it is damaged: {error}.") from error
    if not isinstance(result, dict):
        raise InputError(f"{file} is no result of dlib: it holds a {type(result).__name__}.")


PATCHES = {"aggregate_results": _aggregate_results}
