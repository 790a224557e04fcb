# SPDX-License-Identifier: Apache-2.0
"""How many runs this machine makes at a time, by its cores and its memory.

Containers, Slurm and systemd grant a process less of both by control groups of Linux, of version 1 or 2.
"""

import math
import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from vae_ortho_plugin.study.plan.experiments import Run

# Memory of a worker in bytes. On dSprites 7.4e9 were measured, on Synth. Lin. 1.1e9.
_DSPRITES_MEMORY = 8 * 2**30
_MEMORY = 5 * 2**28
_GROUPS = Path("/sys/fs/cgroup")


def default_jobs(runs: Sequence[Run]) -> int:
    """One run per core, or fewer by the memory that they may use."""
    on_dsprites = any(run.data_set == "dsprites" for run in runs)
    memory, _ = memory_limit()
    return max(1, min(available_cores(), memory // (_DSPRITES_MEMORY if on_dsprites else _MEMORY)))


def available_cores() -> int:
    """Cores that this process may use: those of its affinity mask, or fewer by the quota of a control group."""
    has_mask = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    return min([cores, *_quotas()])


def _quotas() -> Iterator[int]:
    """Cores that the control groups grant (`docker --cpus`); a part of one counts as one."""
    for file in _group_files("cpu", "cpu.max", "cpu.cfs_quota_us"):
        try:
            text = file.read_text()
            if file.name == "cpu.cfs_quota_us":
                text += file.with_name("cpu.cfs_period_us").read_text()
            quota, period = map(int, text.split())
        except (OSError, ValueError):  # no such file in a container, or the text "max"
            continue
        if quota > 0:  # -1: none
            yield math.ceil(quota / period)


def memory_limit() -> tuple[int, str]:
    """Bytes that a process and its children may use, and what limits them."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [(machine, "the machine's memory"), *control_group_limits()]
    if address_space != resource.RLIM_INFINITY:
        limits.append((address_space, "the limit on a process' address space (ulimit -v)"))
    return min(limits)


def describe_limit() -> str:
    """Such as '24.0 GiB, the machine's memory'."""
    limit, what = memory_limit()
    return f"{limit / 2**30:.1f} GiB, {what}"


def control_group_limits() -> list[tuple[int, str]]:
    """The limits on the memory of this process' control groups and of those above."""
    limits = []
    for file in _group_files("memory", "memory.max", "memory.limit_in_bytes"):
        try:
            limits.append((int(file.read_text()), f"the limit of the control group {file.parent}"))
        except (OSError, ValueError):  # no such file in a container, or the text "max"
            continue
    return limits


def _group_files(controller: str, name: str, name_in_version_1: str) -> list[Path]:
    """Where a setting of this process' control groups and of those above may be; the files need not exist."""
    found = []
    for line in _own_groups():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            root, file = _GROUPS, name
        elif controller in controllers.split(","):
            root, file = _GROUPS / controller, name_in_version_1
        else:
            continue
        directory = root / group.lstrip("/")
        # In a container, the group is named as outside and its files are at the root.
        found += [above / file for above in (directory, *directory.parents) if above != root.parent]
    return found


def _own_groups() -> list[str]:
    try:
        return Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # not on Linux
        return []
