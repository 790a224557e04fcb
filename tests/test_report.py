# SPDX-License-Identifier: Apache-2.0
"""The report of finished, partial and empty output directories, made by hand."""

import json

import numpy as np
import pytest

from vae_ortho_plugin.study.report import write_report
from vae_ortho_plugin.study.studies import select

VALUES = {
    "beta_vae": (0.02, 0.99),
    "random_decoder": (0.8, 0.5),
}


def add_run(output, run, dto, score):
    directory = output / "runs" / str(run)
    for measure, value in (("dto", dto), ("disentanglement_score", score)):
        if value is not None:
            path = directory / "metrics/mean" / measure / "results/json/evaluation_results.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({measure: value, "elapsed_time": 1.0}))
    facts = {
        "model_num": run.model_num,
        "seconds": 30.0,
        "versions": {"python": "3.11.7", "tensorflow": "2.21.0"},
        "curves": {"loss": [[500, 1000], [2.0, 1.0]]},
    }
    (directory / "run.json").write_text(json.dumps(facts))
    if run.cell.row.has_factors:
        (directory / "visualizations").mkdir()
        grid = np.stack(np.meshgrid(np.linspace(0, 1, 51), np.linspace(0, 1, 51)), axis=-1)
        np.savez(directory / "visualizations/latent_grid.npz", latents=grid)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp("finished")
    for run in select("quick"):
        dto, score = VALUES.get(run.cell.model, (0.4, 0.6))
        add_run(output, run, dto, score if run.cell.row.has_factors else None)
    return write_report("quick", output)


def test_a_finished_study_is_reported_with_n_and_the_papers_numbers(finished):
    text = finished.read_text()
    assert "| Synth. Lin. | β-VAE | 5 | 0.02 ± 0.00 | 0.00 ± 0.00 | 0.99 ± 0.00 | 0.99" in text
    assert "missing" not in text
    assert "Synth. Lin.: the paper's order" in text
    assert "42 finished runs (42 planned)" in text
    assert "MNIST (short: 5 of 400 epochs)" in text


def test_every_picture_that_the_report_shows_is_there_and_nothing_half_written(finished):
    pictures = sorted(path.name for path in (finished.parent / "pictures").iterdir())
    assert pictures == [
        "dto_disentanglement.png",
        "latent_space_synth_linear.png",
        "latent_space_synth_nonlinear.png",
        "loss.png",
    ]
    assert all(f"](pictures/{name})" in finished.read_text() for name in pictures)


def test_a_partial_study_reports_what_is_there_and_what_is_missing(tmp_path):
    add_run(tmp_path, select("quick")[0], 0.02, 0.99)
    text = write_report("quick", tmp_path).read_text()
    assert "| Synth. Lin. | β-VAE | 1 of 5 | 0.02 (one seed) |" in text
    assert "| Synth. Lin. | AE | 0 of 5 | missing | 0.33 ± 0.18 |" in text
    assert "latent_space_synth_linear.png" in text
    assert "latent_space_synth_nonlinear.png" not in text


def test_an_empty_study_reports_that_nothing_is_finished(tmp_path):
    text = write_report("quick", tmp_path).read_text()
    assert "None of 42 runs is finished." in text
    assert "![" not in text


def test_a_run_that_is_being_made_is_no_finished_run(tmp_path):
    (tmp_path / "runs/synth_linear/beta_vae/.0.partial").mkdir(parents=True)
    assert "None of 42 runs is finished." in write_report("quick", tmp_path).read_text()
