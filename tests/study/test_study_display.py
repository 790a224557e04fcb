# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of a study."""

import collections
import io

from rich.console import Console

from vae_ortho_plugin.study.plan.experiments import (
    SYNTH_LINEAR_64,
    SYNTH_NONLINEAR_64,
    Experiment,
    Run,
)
from vae_ortho_plugin.study.run.display import live_view
from vae_ortho_plugin.study.run.progress import Failure, Progress

VAE, AE = Experiment(SYNTH_LINEAR_64, "beta_vae"), Experiment(SYNTH_NONLINEAR_64, "autoencoder")


def lines(progress, max_rows=10):
    console = Console(file=io.StringIO(), width=120)
    console.print(live_view(progress, now=100.0, max_rows=max_rows))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def progress():
    return Progress(
        collections.deque([Run(VAE, 3), Run(AE, 0), Run(AE, 1)]),
        jobs=1,
        running={Run(VAE, 2): 90.0},
        seconds={VAE: [30.0]},
        failures=[Failure(Run(VAE, 1), "ValueError: no luck", None)],
        done=2,
    )


def test_each_unfinished_experiment_has_its_counts_and_the_computing_that_is_left():
    shown = lines(progress())
    # 20 s of the running run and 30 s of the waiting one; two of 30 s
    assert shown[1] == "Synth. Lin., batch 64 β-VAE 1 1 1 1 50 s"
    assert shown[2] == "Synth. Non-Lin., batch 64 AE 0 0 0 2 1 min"
    assert shown[3].endswith("2 of 6 runs done (1 failed), 2 min left")
    assert shown[4] == "now: synth_linear/beta_vae/2 (10 s)"


def test_experiments_that_do_not_fit_are_counted():
    assert lines(progress(), max_rows=1)[2] == "and 1 more experiments"


def test_a_finished_study_is_its_bar_alone():
    done = Progress(collections.deque(), jobs=1, seconds={VAE: [30.0]}, done=1)
    (line,) = lines(done)
    assert line.endswith("1 of 1 runs done, 0 s left")
