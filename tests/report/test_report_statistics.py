# SPDX-License-Identifier: Apache-2.0
"""Numbers over seeds beside the paper's, and the order of the models."""

import pandas as pd
import pytest
from scipy import stats

from vae_ortho_plugin.study.plan.experiments import MNIST, SYNTH_LINEAR, Experiment
from vae_ortho_plugin.study.report import order, tables
from vae_ortho_plugin.study.report.paper_targets import Target, target

MODELS = ("beta_vae", "autoencoder", "beta_vae_sigma", "random_decoder")


def test_a_summary_is_mean_sample_standard_deviation_and_students_interval_over_seeds():
    found = tables.summary([0.1, 0.2, 0.3])
    assert [found[name] for name in ("n", "mean", "sd")] == [
        3,
        pytest.approx(0.2),
        pytest.approx(0.1),
    ]
    expected = stats.ttest_1samp([0.1, 0.2, 0.3], 0).confidence_interval(0.95)
    assert (found["interval_low"], found["interval_high"]) == pytest.approx(tuple(expected))
    one = {"n": 1, "mean": 0.1, "sd": None, "interval_low": None, "interval_high": None}
    assert tables.summary([0.1]) == one
    assert tables.summary([]) == one | {"n": 0, "mean": None}


def mark(values, paper, variant=SYNTH_LINEAR):
    number = {"experiment": Experiment(variant, "beta_vae"), "paper": paper}
    return tables.mark(pd.Series(number | tables.summary(values), dtype=object))


@pytest.mark.parametrize(
    ("values", "paper", "expected"),
    [
        ([0.1, 0.2, 0.3], Target(0.4, 0.1), "✓"),  # 0.2 ± 0.248
        ([0.1, 0.2, 0.3], Target(0.46, 0.1), "✗"),
        # As exact as it is printed.
        ([0.0030, 0.0031, 0.0032], Target(0.00, 0.00), "✓"),
        ([0.0030, 0.0031, 0.0032], Target(0.00, 0.00, rounding=0.0005), "✗"),
        # The interval of two, 0.15 ± 0.64, holds nearly any mean.
        ([0.1, 0.2], Target(0.7, 0), "(too few)"),
        ([], Target(0.1, 0.1), ""),
        ([0.1, 0.2], None, ""),
    ],
)
def test_the_papers_mean_agrees_if_it_lies_in_the_interval_of_three_values_or_more(
    values, paper, expected
):
    assert mark(values, paper) == expected


def test_runs_shorter_than_the_papers_claim_no_agreement():
    values, paper = [1.5, 1.6, 1.7], Target(1.59, 0.08)
    assert mark(values, paper, MNIST) == "✓"
    assert mark(values, paper, MNIST.shortened(20)) == ""


def comparisons(*values):
    """Of Synth. Lin.; the DtO of each of MODELS over seeds."""
    rows = [
        {
            "experiment": Experiment(SYNTH_LINEAR, model),
            "paper_mean": target("synth_linear", "dto", model).mean,
            **tables.summary(of_model),
        }
        for model, of_model in zip(MODELS, values, strict=True)
    ]
    return order.compare_order(pd.DataFrame(rows, dtype=object))


def order_line(*centers, spread):
    """The line on the order for three runs of each of MODELS around these DtO."""
    values = [[dto - spread, dto, dto + spread] for dto in centers]
    return order.order_to_markdown(comparisons(*values))


@pytest.mark.parametrize(
    ("dto", "spread", "verdict", "pair"),
    [
        # In the paper AE and β-VAE_Σ, 0.33 and 0.34, cannot be told apart: either may come first.
        ((0.02, 0.40, 0.35, 0.8), 0.01, "the paper's order (", "β-VAE 0.02 < AE 0.40"),
        ((0.02, 0.3, 0.4, 0.8), 0.01, "the paper's order (", "β-VAE 0.02 < AE 0.30"),
        ((0.5, 0.4, 0.6, 0.8), 0.01, "**not the paper's order** (", "β-VAE 0.50 > AE 0.40"),
        (
            (0.02, 0.6, 0.6, 0.5),
            0.2,
            "the paper's order where our",
            "AE 0.60 ? random decoder 0.50, p",
        ),
        ((0.0, 0.4, 0.4, 0.8), 0.0, "the paper's order (", "β-VAE 0.00 < AE 0.40"),
    ],
)
def test_pairs_that_the_seeds_tell_apart_decide_on_the_papers_order(dto, spread, verdict, pair):
    line = order_line(*dto, spread=spread)
    assert line.startswith(f"- Synth. Lin.: {verdict}")
    assert pair in line


def test_single_runs_decide_nothing_and_no_order_is_claimed_without_runs():
    single = comparisons([0.0], [0.1], [0.2], [0.3])
    assert {pair.verdict for pair in single} == {"undecided"}
    assert "Synth. Lin.: incomplete" in order.order_to_markdown(comparisons([], [], [], []))
