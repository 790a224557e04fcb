# SPDX-License-Identifier: Apache-2.0
"""Where Linux keeps what containers, Slurm and systemd grant a process: its control groups, of version 1 or 2."""

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def files(controller: str, name: str, name_in_version_1: str) -> list[Path]:
    """Where a setting of this process' control groups and of those above may be; the files need not exist.

    Args:
        controller: such as 'memory'.
        name: of the setting's file in version 2.
        name_in_version_1: the same there.
    """
    found = []
    for line in _own_groups():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            root, file = _ROOT, name
        elif controller in controllers.split(","):
            root, file = _ROOT / controller, name_in_version_1
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
