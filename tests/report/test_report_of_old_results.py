# SPDX-License-Identifier: Apache-2.0
"""Results folders of version 0.1.0 are read as ever.

The runs in tests/fixtures/old_results have the files that version 0.1.0 wrote and a report reads, with invented
numbers. The tables there are that version's, with the rows and columns that later versions added.
"""

import shutil
from pathlib import Path

from test_report import report

OLD = Path(__file__).parents[1] / "fixtures" / "old_results"


def tables(folder):
    """Name -> content of the tables."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("tables/*")}


def test_an_old_results_folder_has_the_same_tables_and_epochs_whatever_its_folders_are_called(
    tmp_path,
):
    shutil.copytree(OLD / "runs", tmp_path / "runs")
    (tmp_path / "runs/synth_nonlinear-100-epochs").rename(tmp_path / "runs/renamed")
    text = report("quick", tmp_path)
    assert tables(tmp_path) == tables(OLD)
    assert "7 of 62 runs are finished." in text
    assert "- Synth. Non-Lin.: weight_seed = 7; each run's run.json has the weights" in text
