# SPDX-License-Identifier: Apache-2.0
"""The report's section on the dial, and what Table 2 says besides the paper's numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from study_output import add_run
from test_report import line, report, section

from vae_ortho_plugin.measures import distance_to_orthogonality
from vae_ortho_plugin.study.plan import data_variants, experiments
from vae_ortho_plugin.study.plan.experiments import Experiment, Run, dial_experiment
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report import write_report
from vae_ortho_plugin.study.report.sections.table_2 import RANDOM_MATRICES

LINEAR = experiments.SYNTH_LINEAR_64


def add(output, experiment, dto, seeds=2, score=0.9, **options):
    for seed in range(seeds):
        add_run(output, Run(experiment, seed), dto + 0.01 * seed, score, **options)


def change(output, run, metric, **values):
    """Changes results of a metric of a run that was added."""
    path = ResultsFolder(output).run(run).metric(metric)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    output = tmp_path_factory.mktemp("dial")
    for weight, dto in ((0.0, 0.5), (1.0, 0.04), (4.0, 0.01)):
        add(output, dial_experiment(LINEAR, weight), dto)
    add(output, Experiment(LINEAR, "beta_vae"), 0.03)
    short = experiments.MNIST_20.shortened(5)
    for weight in (0.0, 4.0):
        data = data_variants.with_orthogonality(experiments.MNIST_20, weight).shortened(5)
        add(output, Experiment(data, "linearized_vae"), 1.5, score=None)
    add(output, Experiment(short, "vae"), 1.7, score=None)
    return section(write_report("dial", output).read_text(), "The dial")


def test_the_dial_has_a_line_for_each_weight_and_for_the_sampled_models(text):
    assert line(text, "Synth. Lin., batch 64", "λ = 1") == [
        *("Synth. Lin., batch 64", "λ = 1", "2 of 10", "0.045 ± 0.0071", "0.0045 ± 0.00071"),
        *("0.90 ± 0.00", "2 ± 0", "9,000 (1 of 2)"),
    ]
    assert line(text, "Synth. Lin., batch 64", "λ = 0")[-1] == "– (0 of 2)"
    assert line(text, "Synth. Lin., batch 64", "β-VAE")[2:4] == ["2 of 10", "0.035 ± 0.0071"]
    assert line(text, "Synth. Lin., batch 64", "λ = ¼")[2:5] == ["0 of 10", "missing", "missing"]
    assert "](pictures/dial.png)" in text


def test_shortened_runs_have_lines_of_their_own_in_the_dial(text):
    name = "MNIST, 20 epochs (5 of 20 epochs)"
    assert line(text, name, "λ = 4")[5] == "no factors"
    assert line(text, name, "VAE")[3:5] == ["1.7 ± 0.0071", "0.085 ± 0.00035"]


def test_the_dial_is_shown_where_a_study_has_two_weights_of_it(tmp_path):
    assert "The dial" not in report("mnist", tmp_path)
    report("quick", tmp_path)
    rows = pd.read_csv(tmp_path / "tables/dial.csv")
    assert set(rows["orthogonality"].dropna()) == {0, 1, 4}


def test_no_number_of_the_score_stands_for_data_without_factors(tmp_path):
    report("dial", tmp_path)
    rows = pd.read_csv(tmp_path / "tables/dial.csv")
    measures = set(rows[rows["data_set"] == "mnist"]["measure"])
    assert measures == {"dto", "ima_contrast", "squared_error"}


def test_dto_is_marked_where_singular_values_coincide_and_random_matrices_are_beside_decoders(
    tmp_path,
):
    for model, share in (("beta_vae", 0.5), ("autoencoder", 0.01), ("random_decoder", 0.01)):
        run = Run(Experiment(LINEAR, model), 0)
        add_run(tmp_path, run, 0.4, 0.9, bare=True)
        change(tmp_path, run, "dto", nearly_equal_share=share)
    text = section(report("synthetic", tmp_path), "Table 2")
    assert line(text, "Synth. Lin., batch 64", "β-VAE")[3] == "0.40 (one seed) ‡"
    assert line(text, "Synth. Lin., batch 64", "AE")[3] == "0.40 (one seed)"
    assert "‡: at 10 % of the points or more" in text
    found = line(text, "Synth. Lin., batch 64", "random matrix, U(0,1)")
    assert found[2:6] == ["20,000", "0.80 ± 0.22", "–", "0.79 ± 0.21"]
    assert "our inference" in text


@pytest.mark.parametrize("matrix", dict.fromkeys(RANDOM_MATRICES.values()))
def test_the_numbers_of_random_matrices_are_right(matrix):
    number = 200 if matrix.outputs > 1000 else 1000
    entries = np.random.default_rng(1).random((number, matrix.outputs, matrix.latents))
    found = distance_to_orthogonality(entries)
    assert abs(found.mean - matrix.mean) < 4 * found.stderr
    assert found.std == pytest.approx(matrix.sd, rel=0.25)


def test_both_normalizers_are_shown_where_a_factor_is_categorical(tmp_path):
    run = Run(Experiment(experiments.DSPRITES, "vae"), 0)
    add_run(tmp_path, run, 1.0, 0.2)
    kinds = ["categorical", "continuous"]
    change(tmp_path, run, "disentanglement_score", factor_kinds=kinds, headroom_score=0.15)
    text = section(report("dsprites", tmp_path), "Table 2")
    headroom = text.partition("### Another normalizer")[2]
    assert line(headroom, "dSprites", "VAE")[2:] == [
        *("1 of 10", "0.20 (one seed)", "0.15 (one seed)"),
    ]
