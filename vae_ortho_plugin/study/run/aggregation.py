# SPDX-License-Identifier: Apache-2.0
"""All results in one file, as dlib_aggregate_results writes it; needs neither TensorFlow nor dlib."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import check_seal, write_text
from vae_ortho_plugin.study.plan.layout import METRIC_PATTERN, RESULT_PATTERN, ResultsFolder

_FILES_AT_A_TIME = 16


def aggregate(folder: ResultsFolder) -> None:
    """Writes results.json, where it changes: every metric of every finished run, with paths in the folder."""
    for files in folder.finished_runs():
        check_seal(files.path, METRIC_PATTERN)
    found = sorted(folder.path.glob(RESULT_PATTERN))
    if found:
        names = [str(path.relative_to(folder.path)) for path in found]
        text = json.dumps(columns_of(found, names))
        target = folder.aggregated_results
        if not (target.is_file() and target.read_text(encoding="utf-8") == text):
            write_text(target, text)


def columns_of(files: Iterable[str | Path], names: Iterable[str]) -> dict[str, dict[str, object]]:
    """Column -> number of the result -> value, as a data frame's `to_json`.

    A value that a result does not have, or that is not finite, is None. Numbers have all their digits. In the
    column 'path', `names` stand for the files.

    Raises:
        InputError: a file is damaged or no result of dlib.
    """
    with ThreadPoolExecutor(_FILES_AT_A_TIME) as pool:
        results = list(pool.map(_result, files, names))
    columns = dict.fromkeys(column for result in results for column in result)
    return {name: {str(k): r.get(name) for k, r in enumerate(results)} for name in columns}


def _result(file: str | Path, name: str) -> dict:
    try:
        with open(file, encoding="utf-8") as opened:
            # The constants are NaN and the infinities, which JSON does not have.
            result = json.load(opened, parse_constant=lambda constant: None)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is no result of dlib, or it is damaged: {error}.") from error
    if not isinstance(result, dict):
        raise InputError(f"{file} is no result of dlib: it holds a {type(result).__name__}.")
    return {**result, "path": name}
