# SPDX-License-Identifier: Apache-2.0
"""What the trials of faults and of interruptions share."""

import os


class Wrong(Exception):
    """A promise did not hold."""


class Impossible(Exception):
    """The fault cannot be injected on this machine."""


def check_equal(found: dict, expected: dict, of: str = "") -> None:
    """Raises Wrong unless both have the same entries; `of` says whose, behind an entry's name."""
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise Wrong(f"{name}{of} differs")


def status_of(child: int) -> int:
    """Waits for a process; returns its exit status as a shell shows it."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code
