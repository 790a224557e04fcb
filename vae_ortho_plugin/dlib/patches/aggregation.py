# SPDX-License-Identifier: Apache-2.0
"""dlib_aggregate_results: patterns without matches and damaged results are answered, files are read by threads."""

import functools
import json
import os
import types
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from vae_ortho_plugin.errors import InputError

_FILES_AT_A_TIME = 16


class _Threads:
    """In place of multiprocessing.Pool.

    dlib never closes its pool. Forked from a process that has threads, it may wait for ever when Python collects it.
    """

    @staticmethod
    def map(function: Callable, items: Iterable) -> list:
        with ThreadPoolExecutor(_FILES_AT_A_TIME) as pool:
            return list(pool.map(function, items))


def _aggregate_results(module: types.ModuleType) -> None:
    module.multiprocessing = types.SimpleNamespace(Pool=_Threads)
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
