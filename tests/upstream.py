# SPDX-License-Identifier: Apache-2.0
"""Runs disentanglement_lib's own tests as it runs them, one process a module, and counts them.

`run_tests.sh --upstream` calls this. Arguments: parts of module names; without any, all modules.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

TIME_LIMIT_SECONDS = 1800
LINES_OF_A_FAILURE = 80


class Outcome(NamedTuple):
    module: str
    run: int
    failed: int
    skipped: int
    seconds: float
    output: str

    @property
    def passed(self) -> int:
        return self.run - self.failed - self.skipped


def test_modules() -> list[str]:
    """Names of the test modules in the installed disentanglement_lib."""
    files = importlib.metadata.files("disentanglement-lib") or []
    return sorted(
        ".".join(file.with_suffix("").parts) for file in files if file.name.endswith("_test.py")
    )


def count(output: str, returncode: int) -> tuple[int, int, int]:
    """Tests run, failed and skipped, from what unittest printed last.

    A module that ended badly without naming a failed test counts as one test that failed.
    """
    runs = re.findall(r"^Ran (\d+) tests? in ", output, re.MULTILINE)
    endings = re.findall(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", output, re.MULTILINE)
    if not runs or not endings:
        return 1, 1, 0
    numbers = {key: int(value) for key, value in re.findall(r"([a-z ]+)=(\d+)", endings[-1])}
    skipped = numbers.get("skipped", 0)
    failed = numbers.get("failures", 0) + numbers.get("errors", 0)
    if returncode != 0 and failed == 0:
        return int(runs[-1]) + 1, 1, skipped
    return int(runs[-1]), failed, skipped


def run(module: str) -> Outcome:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        # Tests of one name in two modules write to the same place otherwise.
        environment = {**os.environ, "TEST_TMPDIR": directory}
        try:
            done = subprocess.run(
                [sys.executable, "-m", module],
                check=False,
                cwd=directory,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIME_LIMIT_SECONDS,
            )
            output, returncode = done.stdout.decode(errors="replace"), done.returncode
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode(errors="replace")
            output += f"\nended after {TIME_LIMIT_SECONDS} s\n"
            returncode = 1
    return Outcome(module, *count(output, returncode), time.monotonic() - start, output)


def main() -> int:
    names = sys.argv[1:]
    modules = [m for m in test_modules() if not names or any(name in m for name in names)]
    if not modules:
        sys.exit("error: no test module of an installed disentanglement_lib is so named")
    width = max(map(len, modules))
    print(f"{'module':{width}}  run  passed  skipped  seconds", flush=True)
    outcomes = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in as_completed([pool.submit(run, module) for module in modules]):
            outcome = future.result()
            outcomes.append(outcome)
            print(
                f"{outcome.module:{width}}  {outcome.run:3d}  {outcome.passed:6d}  "
                f"{outcome.skipped:7d}  {outcome.seconds:7.1f}{'  FAILED' * bool(outcome.failed)}",
                flush=True,
            )
            if outcome.failed:
                print("\n".join(outcome.output.splitlines()[-LINES_OF_A_FAILURE:]), flush=True)
    failed_modules = [outcome.module for outcome in outcomes if outcome.failed]
    print(f"{len(modules) - len(failed_modules)} of {len(modules)} modules pass")
    for module in failed_modules:
        print(f"failed: {module}")
    passed, failed, skipped = (
        sum(getattr(outcome, key) for outcome in outcomes)
        for key in ("passed", "failed", "skipped")
    )
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
