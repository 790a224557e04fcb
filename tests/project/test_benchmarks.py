# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' table. Nothing is timed."""

from benchmarks import run, table
from benchmarks.rows import GPU, GROWTH, JAX, LIMIT, PLUGIN, STUDY, STUDY_RUNS, TABLE, TF114
from vae_ortho_plugin.study.plan.experiments import EXPERIMENTS


def series(column, *values, label="", not_measured=None):
    return {
        "column": column,
        "label": label,
        "values": values,
        "versions": {},
        "not_measured": not_measured,
    }


def row(unit, *all_series):
    return {"name": "row", "title": "A row", "unit": unit, "series": all_series}


def test_the_best_variant_of_a_peer_counts_and_the_ratio_says_how_far_the_plugin_is_ahead():
    rate = row(
        "steps/s",
        series(PLUGIN, 3, 1, 2),
        series(TF114, not_measured="no Python was given"),
        series(JAX, 1, 1, 1, label="slow"),
        series(JAX, 4, 4, 4, label="fast"),
        series(LIMIT, 8, 8, 8),
    )
    assert table.line(rate) == "| A row (steps/s) | 2 | – | 4 (fast) | – | – | 8 | 0.50 |"
    time = row("s", series(PLUGIN, 2), series(JAX, 4), series(JAX, 5))
    assert table.line(time) == "| A row (s) | 2 | – | 4 | – | – | – | 2.00 |"


def test_every_row_has_a_name_of_its_own_and_every_peer_a_file():
    rows = (*TABLE, *GROWTH, STUDY)
    assert len({row.name for row in rows}) == len(rows)
    peers = {one.peer for row in (*rows, *GPU) for one in row.series}
    assert peers == {path.stem for path in run.PEERS.glob("*.py")} - {"answers"}


def test_the_runs_from_which_studies_are_timed_are_those_of_data_variants():
    assert {name for name, _ in STUDY_RUNS} <= {one.data.name for one in EXPERIMENTS}
