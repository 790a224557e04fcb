# SPDX-License-Identifier: Apache-2.0
"""Injects faults into training runs and studies, and compares what they end with.

    python tests/reliability/faults.py --trials 100 --seed 0 kill

Each trial draws its faults from its seed, injects them for real, looks at what is on the disk after each,
goes on until everything is made, and compares it with what an undisturbed process made. The exit status is
the number of trials that failed.
"""

import argparse
import collections
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

import vae_ortho_plugin  # noqa: F401  dlib finds what TensorFlow no longer has under its hook only

sys.path.append(str(Path(__file__).parents[1] / "support"))

# isort: split
from faults_support import Impossible, Wrong

# Kind of fault, the name of a function that makes a trial -> its module; some of them start TensorFlow.
KINDS = {
    kind: module
    for module, kinds in {
        "faults_of_processes": "kill signal two_at_once clock",
        "faults_of_files": "full_disk no_permission damage damaged_checkpoint",
        "faults_of_studies": "study_kills report_kill two_studies no_memory hang",
        "faults_of_clusters": "slurm_kills",
        "faults_of_training": "resume",
    }.items()
    for kind in kinds.split()
}


def try_kind(kind: str, seeds: range, folder: Path) -> tuple[int, collections.Counter]:
    """Makes a trial for each seed; returns the number that failed, whose files stay, and what was injected."""
    failed, injected = 0, collections.Counter()
    module = importlib.import_module(KINDS[kind])
    undisturbed = module.undisturbed(folder, kind)
    for seed in seeds:
        place = folder / kind / str(seed)
        try:
            found = getattr(module, kind)(undisturbed, place, seed)
            injected.update(found)
            print(f"{kind} {seed}: survived {', '.join(found)}", flush=True)
            shutil.rmtree(place, ignore_errors=True)
        except Wrong as wrong:
            failed += 1
            print(f"{kind} {seed}: FAILED in {place}: {wrong}", flush=True)
    return failed, injected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "kinds", nargs="*", default=list(KINDS), metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--trials", type=int, default=1, metavar="N", help="of each kind")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first trial")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(KINDS)}")
    failed = 0
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    for kind in options.kinds:
        try:
            wrong, injected = try_kind(
                kind, range(options.seed, options.seed + options.trials), folder
            )
        except Impossible as reason:
            print(f"{kind}: not possible here: {reason}")
            continue
        failed += wrong
        print(f"{kind}: {options.trials - wrong} of {options.trials} trials survived")
        for fault, number in sorted(injected.items()):
            print(f"    {number:4d}  {fault}")
    if not failed:
        shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())
