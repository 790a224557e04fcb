# SPDX-License-Identifier: Apache-2.0
"""How many runs at a time, and in which order."""

import math
import os
from collections.abc import Iterator, Sequence

from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.run import control_groups
from vae_ortho_plugin.study.run.memory import memory_limit

# Memory of a worker in bytes. On dSprites 7.4e9 were measured, on Synth. Lin. 1.1e9.
DSPRITES_MEMORY = 8 * 2**30
MEMORY = 5 * 2**28
# Data sets by how long a run takes.
LONGEST_FIRST = ("dsprites", "fashion_mnist", "mnist", "synth_nonlinear", "synth_linear")


def available_cores() -> int:
    """Cores that this process may use: those of its affinity mask, or fewer by the quota of a control group."""
    has_mask = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    return min([cores, *_quotas()])


def _quotas() -> Iterator[int]:
    """Cores that the control groups of this process grant (`docker --cpus`); a part of one counts as one."""
    for file in control_groups.files("cpu", "cpu.max", "cpu.cfs_quota_us"):
        try:
            text = file.read_text()
            if file.name == "cpu.cfs_quota_us":
                text += file.with_name("cpu.cfs_period_us").read_text()
            quota, period = map(int, text.split())
        except (OSError, ValueError):  # no such file in a container, or the text "max"
            continue
        if quota > 0:  # -1: none
            yield math.ceil(quota / period)


def default_jobs(runs: Sequence[Run]) -> int:
    """One run per core, or fewer by the memory that they may use."""
    on_dsprites = any(run.experiment.data.data_set == "dsprites" for run in runs)
    memory, _ = memory_limit()
    return max(1, min(available_cores(), memory // (DSPRITES_MEMORY if on_dsprites else MEMORY)))


def in_order(runs: Sequence[Run]) -> list[Run]:
    """The runs in the order in which they are made.

    Seed by seed, so that an interrupted study has some runs of every experiment; the long runs of
    a seed first. Untrained models come last, so that no core is left alone with a long run.
    """

    def position(run: Run) -> tuple[bool, int, int]:
        untrained = run.experiment.model == "random_decoder"
        return untrained, run.seed, LONGEST_FIRST.index(run.experiment.data.data_set)

    return sorted(runs, key=position)
