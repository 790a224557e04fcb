# SPDX-License-Identifier: Apache-2.0
"""Processes that tests start."""

import os
import subprocess
import sys


def run_python(*arguments, cwd=None, **environment):
    """A finished process of the tests' Python, and what it printed; `environment` is added to the tests' own."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment},
    )  # fmt: skip
