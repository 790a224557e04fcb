# SPDX-License-Identifier: Apache-2.0
import csv
import io

import pytest

from vae_ortho_plugin.study import tables
from vae_ortho_plugin.study.cells import MNIST_SHORT, SYNTH_LINEAR, SYNTH_NONLINEAR, Cell, Run
from vae_ortho_plugin.study.finished import FinishedRun
from vae_ortho_plugin.study.paper_targets import Target

PLAN = {
    **{
        Cell(SYNTH_LINEAR, model): 3
        for model in ("beta_vae", "autoencoder", "beta_vae_sigma", "random_decoder")
    },
    **{Cell(MNIST_SHORT, model): 1 for model in ("vae", "autoencoder")},
}


def finished(row, model, dtos, scores=None):
    """Runs of one cell with these DtO and disentanglement scores."""
    runs = []
    for seed, dto in enumerate(dtos):
        metrics = {"dto": {"dto": dto}}
        if scores is not None:
            metrics["disentanglement_score"] = {"disentanglement_score": scores[seed]}
        runs.append(FinishedRun(Run(Cell(row, model), seed), metrics))
    return runs


def entry(entries, model, measure, row=SYNTH_LINEAR):
    (found,) = (e for e in entries if e.cell == Cell(row, model) and e.measure == measure)
    return found


def table_line(text, title):
    (line,) = (line for line in text.splitlines() if title in line)
    return [column.strip() for column in line.strip("|").split("|")]


def test_an_entry_is_mean_and_sample_standard_deviation_over_seeds():
    runs = finished(SYNTH_LINEAR, "beta_vae", [0.1, 0.2, 0.3], [1.0, 0.9, 0.8])
    entries = tables.table_2(runs, PLAN)
    dto = entry(entries, "beta_vae", "dto")
    assert dto.ours == pytest.approx((0.2, 0.1, 3))
    assert dto.paper == Target(0.0, 0.0)
    assert entry(entries, "beta_vae", "disentanglement_score").ours.mean == pytest.approx(0.9)


def test_a_finished_cell_shows_n_and_stands_beside_the_papers():
    runs = finished(SYNTH_LINEAR, "autoencoder", [0.3, 0.4, 0.5], [0.5, 0.5, 0.5])
    line = table_line(tables.to_markdown(tables.table_2(runs, PLAN)), "| Synth. Lin. | AE ")
    assert line == [
        *("Synth. Lin.", "AE", "3"),
        *("0.40 ± 0.10", "0.33 ± 0.18", "0.50 ± 0.00", "0.71 ± 0.19"),
    ]


def test_a_partly_finished_cell_says_how_many_of_how_many():
    runs = finished(SYNTH_LINEAR, "beta_vae", [0.1, 0.2], [1.0, 1.0])
    line = table_line(tables.to_markdown(tables.table_2(runs, PLAN)), "| β-VAE |")
    assert line[2] == "2 of 3"


def test_a_single_seed_has_no_standard_deviation():
    runs = finished(SYNTH_LINEAR, "beta_vae", [0.1], [1.0])
    assert entry(tables.table_2(runs, PLAN), "beta_vae", "dto").ours.sd is None
    text = tables.to_markdown(tables.table_2(runs, PLAN))
    assert table_line(text, "| β-VAE |")[2:4] == ["1 of 3", "0.10 (one seed)"]


def test_more_seeds_than_planned_are_all_used():
    runs = finished(SYNTH_LINEAR, "beta_vae", [0.1] * 7, [1.0] * 7)
    assert table_line(tables.to_markdown(tables.table_2(runs, PLAN)), "| β-VAE |")[2] == "7"


def test_without_any_run_every_cell_says_missing_and_no_order_is_claimed():
    entries = tables.table_2([], PLAN)
    assert all(e.ours is None for e in entries)
    line = table_line(tables.to_markdown(entries), "random decoder")
    assert line[2:] == ["0 of 3", "missing", "0.79 ± 0.21", "missing", "–"]
    assert "Synth. Lin.: incomplete" in tables.order_to_markdown(tables.compare_order(entries))


def test_data_without_factors_have_no_disentanglement_entry():
    entries = tables.table_2(finished(MNIST_SHORT, "vae", [1.7]), PLAN)
    assert {e.measure for e in entries if e.cell.row == MNIST_SHORT} == {"dto"}
    line = table_line(tables.to_markdown(entries), "| VAE |")
    assert line[3:] == ["1.70 (one seed)", "1.59 ± 0.08", "no factors", "–"]


def test_rows_that_the_study_does_not_have_are_left_out():
    entries = tables.table_2(finished(SYNTH_NONLINEAR, "beta_vae", [0.1], [1.0]), PLAN)
    assert {e.cell for e in entries} == set(PLAN)


def order_line(beta, ae, sigma, random, spread=0.01):
    """The line on the order of Synth. Lin. for three runs of each model around these DtO."""
    values = {"beta_vae": beta, "autoencoder": ae, "beta_vae_sigma": sigma}
    runs = [
        run
        for model, dto in {**values, "random_decoder": random}.items()
        for run in finished(SYNTH_LINEAR, model, [dto - spread, dto, dto + spread], [0.5] * 3)
    ]
    comparisons = tables.compare_order(tables.table_2(runs, PLAN))
    return tables.order_to_markdown(comparisons)


def test_the_papers_order_is_recognized():
    assert order_line(0.02, 0.40, 0.35, 0.8).startswith("- Synth. Lin.: the paper's order (")


def test_models_that_the_paper_does_not_tell_apart_may_come_in_either_order():
    # 0.33 and 0.34
    assert order_line(0.02, 0.3, 0.4, 0.8).startswith("- Synth. Lin.: the paper's order (")
    assert order_line(0.02, 0.4, 0.3, 0.8).startswith("- Synth. Lin.: the paper's order (")


def test_a_reversed_pair_is_named():
    line = order_line(0.5, 0.40, 0.6, 0.8)
    assert "**not the paper's order**" in line
    assert "β-VAE 0.50 > AE 0.40" in line


def test_a_difference_within_the_scatter_of_the_seeds_decides_nothing():
    line = order_line(0.02, 0.6, 0.6, 0.5, spread=0.2)
    assert "the paper's order where our seeds decide" in line
    assert "AE 0.60 ? random decoder 0.50, p = 0." in line
    assert "β-VAE 0.02 < AE 0.60" in line


def test_single_runs_decide_nothing():
    runs = [r for m in ("vae", "autoencoder") for r in finished(MNIST_SHORT, m, [1.7])]
    *_, pair = tables.compare_order(tables.table_2(runs, PLAN))
    assert pair.verdict == "undecided"


def test_runs_without_any_spread_are_told_apart():
    assert "β-VAE 0.00 < AE 0.40" in order_line(0.0, 0.4, 0.4, 0.8, spread=0.0)


def test_the_csv_has_unrounded_numbers_and_empty_fields_for_what_is_missing():
    runs = finished(SYNTH_LINEAR, "beta_vae", [0.123456, 0.123456], [1.0, 1.0])
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(tables.table_2(runs, PLAN)))))
    first = rows[0]
    assert (first["model"], first["measure"], first["n"]) == ("beta_vae", "dto", "2")
    assert float(first["mean"]) == pytest.approx(0.123456)
    (random,) = (
        row
        for row in rows
        if (row["model"], row["measure"]) == ("random_decoder", "disentanglement_score")
    )
    assert (random["mean"], random["paper_mean"]) == ("", "")
