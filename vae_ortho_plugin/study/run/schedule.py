# SPDX-License-Identifier: Apache-2.0
"""How many runs at a time, and in which order."""

import os
from collections.abc import Sequence

from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.run.memory import memory_limit

# Memory of a worker on dSprites, in bytes; 7.4e9 were measured.
DSPRITES_MEMORY = 8 * 2**30
# Data sets by how long a run takes.
LONGEST_FIRST = ("dsprites", "fashion_mnist", "mnist", "synth_nonlinear", "synth_linear")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_jobs(runs: Sequence[Run]) -> int:
    """One run per core; with runs on dSprites limited by memory."""
    cores = available_cores()
    if all(run.experiment.data.data_set != "dsprites" for run in runs):
        return cores
    memory, _ = memory_limit()
    return max(1, min(cores, memory // DSPRITES_MEMORY))


def in_order(runs: Sequence[Run]) -> list[Run]:
    """The runs in the order in which they are made.

    Seed by seed, so that an interrupted study has some runs of every experiment; the long runs of
    a seed first. Untrained models come last, so that no core is left alone with a long run.
    """

    def position(run: Run) -> tuple[bool, int, int]:
        untrained = run.experiment.model == "random_decoder"
        return untrained, run.seed, LONGEST_FIRST.index(run.experiment.data.data_set)

    return sorted(runs, key=position)
