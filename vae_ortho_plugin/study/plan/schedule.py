# SPDX-License-Identifier: Apache-2.0
"""How long runs take, and the order in which they are made; needs neither TensorFlow nor dlib."""

from collections.abc import Iterable
from dataclasses import dataclass

from vae_ortho_plugin.study.plan.experiments import Experiment, Run


@dataclass(frozen=True)
class Cost:
    """Cost of the runs on a data set.

    Attributes:
        seconds: of a run without its epochs, on one core.
        epoch_seconds: of an epoch at the data set's batch size, on one core.
        threads: that a run can use, and gets on a cluster.
        memory: of a cluster's job in MB, two nested Snakemakes included.
    """

    seconds: float
    epoch_seconds: float
    threads: int
    memory: int


# Seconds: the measurements of docs/performance.md, from which its table of studies follows. An epoch on dSprites is
# 9,216 steps at 11.7 steps/s on two cores. Memory: 1,000 MB were measured on Synth. Lin., 7,400 MB on dSprites.
_MNIST = Cost(seconds=22.7, epoch_seconds=7.5, threads=1, memory=4000)
# The data sets whose runs take longest come first.
COSTS = {
    "dsprites": Cost(seconds=22.7, epoch_seconds=1575.0, threads=4, memory=10000),
    "fashion_mnist": _MNIST,
    "mnist": _MNIST,
    "synth_nonlinear": Cost(seconds=10.3, epoch_seconds=0.252, threads=1, memory=3000),
    "synth_linear": Cost(seconds=5.6, epoch_seconds=0.0245, threads=1, memory=3000),
}
# epoch_seconds by data set and batch size, where it is not the data set's; the same measurements.
_OF_OTHER_BATCHES = {("synth_linear", 64): 0.0115, ("synth_nonlinear", 64): 0.112}


def expected_seconds(experiment: Experiment, threads: int = 1) -> float:
    """Duration of a run on the machine of docs/performance.md, start of TensorFlow excluded.

    All trained models count as the (β-)VAE. That the threads divide the time of an epoch, up to the number that
    its data set can use, is an assumption.
    """
    data = experiment.data
    cost = COSTS[data.data_set]
    if experiment.model == "random_decoder":
        return cost.seconds
    epoch = _OF_OTHER_BATCHES.get((data.data_set, data.batch_size), cost.epoch_seconds)
    return cost.seconds + data.epochs * epoch / min(threads, cost.threads)


def in_order(runs: Iterable[Run]) -> list[Run]:
    """The runs in the order in which they are made: seed by seed, the long runs of a seed first.

    An interrupted study then has some runs of every experiment, and no core is left alone with a long run. A run
    comes after those that it can continue, which differ from it by fewer epochs alone.
    """
    runs = list(runs)
    longest = seconds_by_chain(runs)
    return sorted(
        runs, key=lambda run: (run.seed, -longest[chain(run)], run.experiment.data.epochs)
    )


def seconds_by_chain(runs: Iterable[Run], threads: int = 1) -> dict[tuple, float]:
    """chain -> duration of its longest run, which is that of all of them, because it continues the others."""
    longest: dict[tuple, float] = {}
    for run in runs:
        seconds = expected_seconds(run.experiment, threads)
        longest[chain(run)] = max(seconds, longest.get(chain(run), 0.0))
    return longest


def chain(run: Run) -> tuple:
    """What a run has in common with those that differ from it by epochs alone: the longer ones continue the shorter."""
    return run.seed, run.experiment.model, run.experiment.data.but_for_epochs


def duration(seconds: float) -> str:
    """Such as '40 s', '3 min', '1 h 20 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
