# SPDX-License-Identifier: Apache-2.0
"""Runs disentanglement_lib's own tests, unmodified, one process a module.

`run_tests.sh --upstream` calls this. Arguments: parts of module names, of those to be left out behind a minus;
without any, all modules.
"""

import importlib.metadata
import os
import re
import runpy
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

# As in python -m disentanglement_lib…_test, for which the plugin's hook makes TensorFlow what it was.
sys.orig_argv[1:1] = ["-m", "disentanglement_lib.tests"]

import disentanglement_lib  # noqa: F401

# The modules' processes are forked from this one, so that these are imported once.
# isort: split
import tensorflow_hub  # noqa: F401
import tensorflow_probability  # noqa: F401

TIME_LIMIT_SECONDS = 1800
LINES_OF_A_FAILURE = 80
# The others fill the cores beside them.
LONGEST_FIRST = (
    "evaluate_test",
    "strong_downstream_task",
    "train_test",
    "fairness",
    "unified_scores",
)


def test_modules(arguments: list[str]) -> list[str]:
    """Names of the test modules in the installed disentanglement_lib that the arguments ask for."""
    files = importlib.metadata.files("disentanglement-lib") or []
    modules = sorted(
        ".".join(file.with_suffix("").parts) for file in files if file.name.endswith("_test.py")
    )
    parts = [part for part in arguments if not part.startswith("-")] or [""]
    without = [part[1:] for part in arguments if part.startswith("-")]
    modules = [
        module
        for module in modules
        if any(part in module for part in parts) and not any(part in module for part in without)
    ]
    return sorted(modules, key=lambda module: not any(name in module for name in LONGEST_FIRST))


def start(module: str, directory: str) -> int:
    """Forks a process that runs the module in the directory and prints into its file `output`; returns its id."""
    if child := os.fork():
        return child
    status = 1
    try:
        signal.alarm(TIME_LIMIT_SECONDS)
        os.chdir(directory)
        descriptor = os.open("output", os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        # Tests of one name in two modules write to the same place otherwise.
        os.environ["TEST_TMPDIR"] = directory
        sys.argv = [module]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # noqa: BLE001, the exit status tells the parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> int:
    left = test_modules(sys.argv[1:])
    if not left:
        sys.exit("error: no test module of an installed disentanglement_lib is so named")
    count, failed, running = len(left), [], {}
    with tempfile.TemporaryDirectory() as directory:
        while left or running:
            while left and len(running) < (os.cpu_count() or 1):
                module = left.pop(0)
                folder = tempfile.mkdtemp(dir=directory)
                running[start(module, folder)] = module, Path(folder, "output"), time.monotonic()
            child, status = os.wait()
            module, output, begun = running.pop(child)
            text = output.read_text(errors="replace") if output.exists() else ""
            # What unittest printed last, such as 'Ran 7 tests' and 'OK (skipped=1)'.
            counts = re.findall(r"^(?:Ran \d+ tests?|(?:OK|FAILED)\b.*)", text, re.MULTILINE)[-2:]
            seconds = time.monotonic() - begun
            print(f"{module}: {', '.join(counts) or 'FAILED'}, {seconds:.1f} s", flush=True)
            if status != 0 or not re.search(r"^Ran \d+ tests? in ", text, re.MULTILINE):
                failed.append(module)
                print("\n".join(text.splitlines()[-LINES_OF_A_FAILURE:]))
                code = os.waitstatus_to_exitcode(status)
                limit = f", after {TIME_LIMIT_SECONDS} s" if code == -signal.SIGALRM else ""
                print(f"ended with {code}{limit}", flush=True)
    print(f"{count - len(failed)} of {count} modules pass")
    for module in failed:
        print(f"failed: {module}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
