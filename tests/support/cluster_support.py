# SPDX-License-Identifier: Apache-2.0
"""Snakemake and a Slurm of one machine for tests, or the reason why there is none."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vae_ortho_plugin.files.locks import holder_of
from vae_ortho_plugin.study.plan.layout import ResultsFolder

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "one_machine_slurm.sh"
# Set by ./run_tests.sh --cluster: a test that cannot run has failed.
REQUIRED = "VAE_ORTHO_TESTS_NEED_CLUSTER"
DAEMONS = ("slurmctld", "slurmd", "sbatch", "munged")
# Jobs of some runs, so that there are several. SIGINT is ignored, as in what a script starts in the background.
STUDY = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from vae_ortho_plugin.study.run.cluster import jobs
jobs.JOB_SECONDS = 40
from vae_ortho_plugin.study.run.command import main
sys.exit(main())
"""


def _skip(reason: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def missing_module() -> str | None:
    """Why Snakemake cannot be used here; None where it can."""
    for module in ("snakemake", "snakemake_executor_plugin_slurm"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install '.[cluster]'"
    return None


@pytest.fixture(scope="session")
def snakemake():
    """Skips where the extra is not installed."""
    if (reason := missing_module()) is not None:
        _skip(reason)


class NoSlurm(Exception):
    """No Slurm can be started on this machine; the message says why."""


@contextlib.contextmanager
def one_machine_slurm(directory: Path, orphans: str) -> Iterator[dict]:
    """Within: a Slurm of this machine; gives the environment in which sbatch, squeue and srun use it.

    Args:
        directory: for its files.
        orphans: text in the command lines of processes to be ended afterwards.

    Raises:
        NoSlurm: the daemons are missing or do not start.
    """
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in DAEMONS if shutil.which(name, path=path) is None]
    if missing:
        raise NoSlurm(
            f"there is no {', '.join(missing)}; Debian: slurmctld slurmd slurm-client munge"
        )
    command = [SCRIPT, "start", directory]
    started = subprocess.run(command, check=False, capture_output=True, text=True)
    if started.returncode:
        raise NoSlurm(f"Slurm did not start: {started.stderr}")
    try:
        yield {
            **os.environ,
            "SLURM_CONF": f"{directory}/slurm.conf",
            "PATH": f"{directory}/bin:{path}",
        }
    finally:
        subprocess.run([SCRIPT, "stop", directory], check=True)
        _end_orphans(orphans)


@pytest.fixture(scope="session")
def slurm(snakemake, tmp_path_factory):
    """Environment in which sbatch, squeue and srun use a Slurm of this machine."""
    orphans = f"{tmp_path_factory.getbasetemp()}/test_"
    with contextlib.ExitStack() as stack:
        try:
            directory = tmp_path_factory.mktemp("slurm")
            environment = stack.enter_context(one_machine_slurm(directory, orphans))
        except NoSlurm as reason:
            _skip(str(reason))
        yield environment


def _end_orphans(text: str) -> None:
    """Ends processes with this text in their command line.

    This Slurm finds the processes of a job by their parents, and loses those whose parent was killed.
    """
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text in path.read_text():
                os.kill(int(path.parent.name), signal.SIGKILL)


def start_study(output: Path, *words: str, environment: dict | None = None) -> subprocess.Popen:
    """Starts `vae_ortho_study --output OUTPUT WORDS` with small jobs."""
    return subprocess.Popen(
        [sys.executable, "-c", STUDY, "--output", output, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def finished_runs(output: Path) -> int:
    """Number of finished runs in a results folder."""
    return sum(1 for _ in ResultsFolder(output).finished_runs())


def wait_until(condition, process: subprocess.Popen, seconds: float) -> None:
    """Waits until `condition()` holds while the process runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def kill_launcher_and_snakemake(process: subprocess.Popen, output: Path) -> None:
    """SIGKILL to both, Snakemake first, so that it notices nothing."""
    os.kill(holder_of(ResultsFolder(output).snakemake_lock).pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def jobs(environment: dict) -> list[str]:
    """Names of the jobs that Slurm has."""
    command = ["squeue", "--noheader", "--format=%j"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()
