# SPDX-License-Identifier: Apache-2.0
"""What a run costs, to divide a study into jobs and to ask a cluster for resources."""

from dataclasses import dataclass

from vae_ortho_plugin.study.plan.experiments import Run


@dataclass(frozen=True)
class Cost:
    """Cost of the runs on a data set.

    Attributes:
        seconds: of a run without its epochs, on one core.
        epoch_seconds: of an epoch at the data set's batch size, on one core.
        threads: cores that a run is given.
        memory: of a job in MB, two nested Snakemakes included.
    """

    seconds: float
    epoch_seconds: float
    threads: int
    memory: int


# Seconds: docs/performance.md, "How long the studies take" (10 and 600 epochs of Synth. Lin., 10 and 200 of
# Synth. Non-Lin.) and its row "One run of the study" (1 and 4 of MNIST). An epoch on dSprites is 9,216 steps at
# 21.2 steps/s on two cores. Memory: 1,000 MB were measured on Synth. Lin., 7,400 MB on dSprites.
_MNIST = Cost(seconds=14.4, epoch_seconds=3.9, threads=1, memory=4000)
COSTS = {
    "synth_linear": Cost(seconds=5.0, epoch_seconds=0.0252, threads=1, memory=3000),
    "synth_nonlinear": Cost(seconds=8.9, epoch_seconds=0.228, threads=1, memory=3000),
    "mnist": _MNIST,
    "fashion_mnist": _MNIST,
    "dsprites": Cost(seconds=14.4, epoch_seconds=870.0, threads=4, memory=10000),
}
# epoch_seconds by data set and batch size, where it is not the data set's; the same measurements.
_OF_OTHER_BATCHES = {("synth_linear", 64): 0.0108, ("synth_nonlinear", 64): 0.0937}


def expected_seconds(run: Run) -> float:
    """Expected duration of a run on its number of cores, start of TensorFlow excluded.

    All trained models count as the (β-)VAE. That more cores divide the time of an epoch is an assumption.
    """
    data = run.experiment.data
    cost = COSTS[data.data_set]
    if run.experiment.model == "random_decoder":
        return cost.seconds
    epoch = _OF_OTHER_BATCHES.get((data.data_set, data.batch_size), cost.epoch_seconds)
    return cost.seconds + data.epochs * epoch / cost.threads
