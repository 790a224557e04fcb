# SPDX-License-Identifier: Apache-2.0
"""Results folders of version 0.1.0 are read as ever.

The runs in tests/fixtures/old_results have the files that version 0.1.0 wrote and a report reads, with invented
numbers. The tables there are that version's, with the rows and columns that later versions added.
"""

import shutil
from pathlib import Path

from vae_ortho_plugin.study.report import write_report

OLD = Path(__file__).parents[1] / "fixtures" / "old_results"


def tables(folder):
    """Name -> content of the tables."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("tables/*")}


def test_an_old_results_folder_has_the_same_tables(tmp_path):
    shutil.copytree(OLD / "runs", tmp_path / "runs")
    report = write_report("quick", tmp_path).read_text()
    assert tables(tmp_path) == tables(OLD)
    assert "7 of 62 runs are finished." in report
    assert "- Synth. Non-Lin.: weight_seed = 7; each run's run.json has the weights" in report


def test_epochs_are_those_of_run_json_whatever_the_folder_is_called(tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(OLD / "runs", runs)
    (runs / "synth_nonlinear-100-epochs").rename(runs / "renamed")
    write_report("quick", tmp_path)
    assert tables(tmp_path) == tables(OLD)
