# SPDX-License-Identifier: Apache-2.0
"""Collects every metric of every run in one file, by dlib_aggregate_results."""

import json
import subprocess
import sys

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import written_beside
from vae_ortho_plugin.study.layout import RESULT_PATTERN, ResultsFolder
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script


def aggregate_if_outdated(folder: ResultsFolder) -> None:
    """Writes results.json if it is older than a finished run or has not all of their metrics.

    Raises:
        InputError: dlib_aggregate_results failed.
    """
    results = folder.aggregated_results
    finished = [files.facts.stat().st_mtime for files in folder.finished_runs()]
    if finished and not (
        results.is_file()
        and results.stat().st_mtime > max(finished)
        # A clock that was set back makes new runs look old.
        and _number_of_results(folder) == len(list(folder.path.glob(RESULT_PATTERN)))
    ):
        aggregate(folder)


def _number_of_results(folder: ResultsFolder) -> int | None:
    """Number of evaluations in results.json; None where it cannot be read."""
    try:
        return len(json.loads(folder.aggregated_results.read_text(encoding="utf-8"))["path"])
    except (ValueError, KeyError, TypeError):
        return None


def aggregate(folder: ResultsFolder) -> None:
    """Writes results.json.

    Raises:
        InputError: dlib_aggregate_results failed.
    """
    with written_beside(folder.aggregated_results) as partial:
        process = subprocess.run(
            [
                sys.executable,
                dlib_script("dlib_aggregate_results"),
                f"--result_file_pattern={RESULT_PATTERN}",
                f"--output_path={partial}",
            ],
            check=False,
            cwd=folder.path,  # so that no character of its path is taken for a pattern
            capture_output=True,
            text=True,
        )
        if process.returncode:
            raise InputError(f"dlib_aggregate_results failed in {folder.path}:\n{process.stderr}")
