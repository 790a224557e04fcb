# SPDX-License-Identifier: Apache-2.0
"""Runs disentanglement_lib's own tests as it runs them, one process a module.

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

TIME_LIMIT_SECONDS = 1800
LINES_OF_A_FAILURE = 80


def test_modules() -> list[str]:
    """Names of the test modules in the installed disentanglement_lib."""
    files = importlib.metadata.files("disentanglement-lib") or []
    return sorted(
        ".".join(file.with_suffix("").parts) for file in files if file.name.endswith("_test.py")
    )


def run(module: str) -> tuple[str, bool, str, float]:
    """The module, whether all its tests passed, what it printed, and the seconds that it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        # Tests of one name in two modules write to the same place otherwise.
        options = {"cwd": directory, "env": {**os.environ, "TEST_TMPDIR": directory}}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command, limit = [sys.executable, "-m", module], TIME_LIMIT_SECONDS
        try:
            done = subprocess.run(command, check=False, timeout=limit, **options, **output)
            text, ended_well = done.stdout.decode(errors="replace"), done.returncode == 0
        except subprocess.TimeoutExpired as error:
            text = (error.stdout or b"").decode(errors="replace") + f"\nended after {limit} s\n"
            ended_well = False
    passed = ended_well and re.search(r"^Ran \d+ tests? in ", text, re.MULTILINE) is not None
    return module, passed, text, time.monotonic() - start


def main() -> int:
    names = sys.argv[1:]
    modules = [m for m in test_modules() if not names or any(name in m for name in names)]
    if not modules:
        sys.exit("error: no test module of an installed disentanglement_lib is so named")
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in as_completed([pool.submit(run, module) for module in modules]):
            module, passed, text, seconds = future.result()
            # What unittest printed last, such as 'Ran 7 tests' and 'OK (skipped=1)'.
            counts = re.findall(r"^(?:Ran \d+ tests?|(?:OK|FAILED)\b.*)", text, re.MULTILINE)[-2:]
            print(f"{module}: {', '.join(counts) or 'FAILED'}, {seconds:.1f} s", flush=True)
            if not passed:
                failed.append(module)
                print("\n".join(text.splitlines()[-LINES_OF_A_FAILURE:]), flush=True)
    print(f"{len(modules) - len(failed)} of {len(modules)} modules pass")
    for module in failed:
        print(f"failed: {module}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
