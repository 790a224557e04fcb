# SPDX-License-Identifier: Apache-2.0
"""Results folders of version 0.1.0 are read as ever.

The runs in tests/fixtures/old_results have the files that version 0.1.0 wrote and a report reads, with invented
numbers. Report and tables there are that version's, and what later versions added: rows, sections, "too few" below three runs and the batch size of runs with
64 points a step, no other number.
"""

import shutil
from pathlib import Path

from vae_ortho_plugin.study.report import write_report

OLD = Path(__file__).parent / "fixtures" / "old_results"


def texts(folder):
    """Relative path -> content of the report and its tables."""
    files = [folder / "report.md", *folder.glob("tables/*")]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


def test_the_report_of_an_old_results_folder_is_the_same(tmp_path):
    shutil.copytree(OLD / "runs", tmp_path / "runs")
    write_report("quick", tmp_path)
    assert texts(tmp_path) == texts(OLD)


def test_epochs_are_those_of_run_json_whatever_the_folder_is_called(tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(OLD / "runs", runs)
    (runs / "synth_nonlinear-100-epochs").rename(runs / "renamed")
    write_report("quick", tmp_path)
    assert texts(tmp_path) == texts(OLD)
