# SPDX-License-Identifier: Apache-2.0
"""Faults, injected for real into training runs and studies; see faults.py for more of them.

They are tried in a process of its own: it forks those that it kills, which a process that has used TensorFlow cannot.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults import KINDS

FAULTS = Path(__file__).with_name("faults.py")
# Of the faults of a training run and its steps, those that no cheaper test has.
QUICK = ("kill", "damage", "no_permission")
OF_STUDIES = [kind for kind, module in KINDS.items() if module.endswith(("studies", "clusters"))]


def printed(*kinds, seed, trials=1):
    """What faults.py prints."""
    command = [sys.executable, FAULTS, *kinds, "--seed", str(seed), "--trials", str(trials)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr[-2000:]


def check_survival(text, kind, trials=1, injected=False):
    """That all trials survived; with `injected`, that a fault was injected, too."""
    if reason := re.search(f"^{kind}: not possible here: (.*)$", text, re.MULTILINE):
        pytest.skip(reason[1])
    fault = r" +\d+  " if injected else ""
    survived = f"^{kind}: {trials} of {trials} trials survived\n{fault}"
    assert re.search(survived, text, re.MULTILINE), text


@pytest.fixture(scope="module")
def quick():
    return printed(*QUICK, seed=1)


@pytest.mark.parametrize("kind", QUICK)
def test_a_training_run_and_its_steps_survive(kind, quick):
    check_survival(quick, kind)


@pytest.mark.long
def test_a_training_run_that_is_ended_and_continued_equals_one_that_is_not():
    check_survival(printed("resume", seed=2, trials=2), "resume", trials=2, injected=True)


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {*OF_STUDIES, "resume"}))
def test_a_training_run_and_its_steps_survive_more(kind):
    check_survival(printed(kind, seed=2, trials=6), kind, trials=6)


@pytest.mark.long
@pytest.mark.parametrize("kind", OF_STUDIES)
def test_a_study_survives(kind):
    check_survival(printed(kind, seed=1), kind, injected=True)
