# SPDX-License-Identifier: Apache-2.0
"""Faults, injected for real into trainings and studies; see faults.py for more of them."""

import shutil

import pytest
from faults import KINDS
from faults_support import Impossible

# Of the faults of a training and its steps, those whose tests take a few seconds.
QUICK = ("kill", "signal", "damage", "damaged_checkpoint", "full_disk", "no_permission")
OF_STUDIES = ("study_kills", "report_kill", "two_studies", "no_memory", "hang", "slurm_kills")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


def survive(kind, folder, seed):
    prepare, trial = KINDS[kind]
    try:
        found = trial(prepare(folder), folder / kind / str(seed), seed)
    except Impossible as reason:
        pytest.skip(str(reason))
    shutil.rmtree(folder / kind / str(seed), ignore_errors=True)
    return found


@pytest.mark.parametrize("kind", QUICK)
def test_a_training_and_its_steps_survive(kind, folder):
    survive(kind, folder, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - set(OF_STUDIES)))
def test_a_training_and_its_steps_survive_more(kind, seed, folder):
    survive(kind, folder, seed)


@pytest.mark.long
@pytest.mark.parametrize("kind", OF_STUDIES)
def test_a_study_survives(kind, folder):
    assert survive(kind, folder, seed=1)


def test_every_kind_of_fault_is_tried():
    assert {*QUICK, *OF_STUDIES, "two_at_once", "clock"} == KINDS.keys()
