# SPDX-License-Identifier: Apache-2.0
"""What the trials of faults and of interruptions share."""

import os


class Wrong(Exception):
    """A promise did not hold."""


class Impossible(Exception):
    """The fault cannot be injected on this machine."""


def status_of(child: int) -> int:
    """Waits for a process; returns its exit status as a shell shows it."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code
