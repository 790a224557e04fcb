# SPDX-License-Identifier: Apache-2.0
"""How much memory this process may use."""

import os
import resource

from vae_ortho_plugin.study.run import control_groups


def memory_limit() -> tuple[int, str]:
    """Bytes that a process and its children may use, and what limits them."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [(machine, "the machine's memory"), *control_group_limits()]
    if address_space != resource.RLIM_INFINITY:
        limits.append((address_space, "the limit on a process' address space (ulimit -v)"))
    return min(limits)


def control_group_limits() -> list[tuple[int, str]]:
    """The limits of this process' control groups (containers, Slurm, systemd) and of those above."""
    limits = []
    for file in control_groups.files("memory", "memory.max", "memory.limit_in_bytes"):
        try:
            limits.append((int(file.read_text()), f"the limit of the control group {file.parent}"))
        except (OSError, ValueError):  # no such file in a container, or the text "max"
            continue
    return limits


def describe_limit() -> str:
    """Such as '24.0 GiB, the machine's memory'."""
    limit, what = memory_limit()
    return f"{limit / 2**30:.1f} GiB, {what}"
