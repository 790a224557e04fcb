# SPDX-License-Identifier: Apache-2.0
"""Collects every metric of every run in one file, by dlib_aggregate_results."""

import json
import subprocess
import sys
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import check_seal, sha256, write_text, written_beside
from vae_ortho_plugin.study.plan.layout import METRIC_PATTERN, RESULT_PATTERN, ResultsFolder
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script


def aggregate_if_outdated(folder: ResultsFolder) -> None:
    """Writes results.json unless it is made of just the metrics that are there now.

    Compared by size and time of each file, not by order in time: clocks can be set back.

    Raises:
        InputError: a metric's file is damaged, or dlib_aggregate_results failed.
    """
    made_of = {}
    for path in sorted(folder.path.glob(RESULT_PATTERN)):
        facts = path.stat()
        made_of[str(path.relative_to(folder.path))] = [facts.st_size, facts.st_mtime_ns]
    if not made_of or _record(folder) == {
        "made_of": made_of,
        "sha256": _sha256(folder.aggregated_results),
    }:
        return
    for files in folder.finished_runs():
        check_seal(files.directory, METRIC_PATTERN)
    aggregate(folder)
    record = {"made_of": made_of, "sha256": _sha256(folder.aggregated_results)}
    write_text(folder.aggregation_record, json.dumps(record))


def _record(folder: ResultsFolder) -> dict | None:
    try:
        return json.loads(folder.aggregation_record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _sha256(path: Path) -> str | None:
    return sha256(path) if path.is_file() else None


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
