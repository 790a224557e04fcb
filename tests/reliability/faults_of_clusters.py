# SPDX-License-Identifier: Apache-2.0
"""Faults of a study on a Slurm of this machine: SIGKILL of launchers, Snakemake, jobs and workers."""

import atexit
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from cluster_support import STUDY, NoSlurm, missing_module, one_machine_slurm
from faults_of_studies import Study, Undisturbed, kill_until_finished
from faults_support import Impossible

from vae_ortho_plugin.files.locks import holder_of, is_abandoned
from vae_ortho_plugin.study.plan.layout import ResultsFolder


class SlurmStudy(Study):
    """A study that Snakemake makes by Slurm's jobs, in an environment in which sbatch uses the Slurm."""

    def __init__(self, place: Path, runs: int, slurm: dict):
        super().__init__(place, runs)
        self._slurm = slurm

    def start(self, *options: str) -> subprocess.Popen:
        words = ["--retries", "20", *self._selected, "--output", str(self.output), *options]
        words += ["--snakemake", "--executor", "slurm", "--jobs", "100"]
        with self.log.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-c", STUDY, *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**self._slurm, "VAE_ORTHO_FAULTS": os.environ["VAE_ORTHO_FAULTS"]},
            )

    def snakemake(self) -> list[int]:
        """Process id of the Snakemake that is at work."""
        lock = ResultsFolder(self.output).snakemake_lock
        return [] if is_abandoned(lock) else [holder_of(lock).pid]

    def jobs(self) -> list[int]:
        """Process ids of the jobs that are at work."""
        return self.processes("vae_ortho_plugin.study.run.cluster.jobs")


def slurm_kills(prepared: tuple[Undisturbed, dict], place: Path, seed: int) -> list[str]:
    """SIGKILL of the launcher, Snakemake, a job or a worker every 20 s on average, until the study is finished."""
    reference, slurm = prepared
    study = SlurmStudy(place, reference.runs, slurm)
    victims = {
        "launcher": lambda launcher: [launcher.pid],
        "Snakemake": lambda _: study.snakemake(),
        "job": lambda _: study.jobs(),
        "worker": lambda _: study.workers(),
    }
    return kill_until_finished(study, victims, list(victims), reference, seed)


def undisturbed(folder: Path, kind: str) -> tuple[Undisturbed, dict]:
    """A study without Slurm, and the environment of a Slurm of this machine."""
    if (reason := missing_module()) is not None:
        raise Impossible(reason)
    stack = contextlib.ExitStack()
    try:
        slurm = stack.enter_context(one_machine_slurm(folder / "slurm", f"{folder}/"))
    except NoSlurm as reason:
        raise Impossible(str(reason)) from None
    atexit.register(stack.close)
    return Undisturbed(folder, runs=60), slurm
