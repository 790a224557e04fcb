# SPDX-License-Identifier: Apache-2.0
"""Faults of studies: SIGKILL of launchers and workers, no memory, a worker that hangs, two at once."""

import collections
import contextlib
import functools
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults_support import Wrong, check_equal

_LAUNCHER = [sys.executable, "-m", "vae_ortho_plugin.study.run", "--jobs", "2", "--retries", "20"]
_SECONDS = 3600
_LAUNCHES = 50


class Study:
    """A study with short training runs, as `vae_ortho_study` makes it, and what it printed, in a directory."""

    def __init__(self, place: Path, runs: int):
        self.output, self.log = place / "results", place / "printed"
        place.mkdir(parents=True, exist_ok=True)
        selected = ["--models", "beta_vae", "random_decoder", "--data-sets", "synth_linear"]
        self._selected = [*selected, "--seeds", f"0-{runs // 2 - 1}", "--epochs", "100"]

    def start(self, *options: str) -> subprocess.Popen:
        with self.log.open("a") as log:
            return subprocess.Popen(
                [*_LAUNCHER, *self._selected, "--output", str(self.output), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, process: subprocess.Popen, expected: int = 0) -> None:
        """Raises Wrong unless the launcher ends with the expected exit status."""
        status = process.wait(_SECONDS)
        if status != expected:
            raise Wrong(f"exit status {status}, not {expected}:\n{self.log.read_text()[-3000:]}")

    def workers(self) -> list[int]:
        """Ids of the processes that make runs here, orphans of killed launchers among them."""
        return self.processes("vae_ortho_plugin.study.run.worker")

    def processes(self, module: str) -> list[int]:
        """Ids of the processes of this study that run a module."""
        command = ["pgrep", "-f", "--", f"-m {module}"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode > 1:  # 1: there is none
            raise Wrong(found.stderr)
        return [int(number) for number in found.stdout.split() if self._is_ours(int(number))]

    def _is_ours(self, number: int) -> bool:
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{number}/environ").read_text(errors="replace")
            return f"VAE_ORTHO_FAULTS={self.output}" in environment.split("\0")
        return False

    def tables(self) -> dict[str, object]:
        """The report's tables and the measures of all runs, less times."""
        found: dict[str, object] = {
            path.name: path.read_text() for path in sorted(self.output.glob("tables/*.csv"))
        }
        for path in sorted(self.output.glob("runs/*/*/*/**/results/json/*results.json")):
            results = json.loads(path.read_text())
            for varies in ("elapsed_time", "uuid"):
                results.pop(varies, None)
            found[str(path.relative_to(self.output))] = results
        return found

    def at(self) -> str:
        """What the launcher does: makes runs, aggregates or writes the report."""
        if not self.log.exists():
            return "start"
        done = len(list(self.output.glob("runs/*/*/*/run.json")))
        total = re.findall(r"(\d+) runs, ", self.log.read_text())
        return "report" if total and done >= int(total[-1]) else "runs"


@contextlib.contextmanager
def marked(study: Study) -> Iterator[None]:
    """Within: started processes carry the study's mark. At the end, those that are left are killed."""
    os.environ["VAE_ORTHO_FAULTS"] = str(study.output)
    try:
        yield
    finally:
        for worker in study.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        del os.environ["VAE_ORTHO_FAULTS"]


class Undisturbed:
    """The tables of a study that nothing disturbed, and its directory."""

    def __init__(self, folder: Path, runs: int):
        self.runs = runs
        self.study = Study(folder / f"undisturbed {runs} runs", runs)
        with marked(self.study):
            self.study.wait(self.study.start())
        self.tables = self.study.tables()


def check(study: Study, reference: Undisturbed) -> None:
    """Goes on until the study is finished; raises Wrong unless it ends as the undisturbed one."""
    study.wait(study.start())
    check_equal(study.tables(), reference.tables)
    left = [
        path
        for path in study.output.rglob(".*")
        if ".partial" in path.name or path.name.endswith(".lock")
    ]
    if left:
        raise Wrong(f"left over: {left}")


def study_kills(reference: Undisturbed, place: Path, seed: int) -> list[str]:
    """SIGKILL of the launcher or a worker every 20 s on average, until the study is finished."""
    study = Study(place, reference.runs)
    victims = {"launcher": lambda launcher: [launcher.pid], "worker": lambda _: study.workers()}
    return kill_until_finished(study, victims, ["launcher", "worker", "worker"], reference, seed)


def kill_until_finished(
    study: Study,
    victims: dict[str, Callable[[subprocess.Popen], list[int]]],
    choices: list[str],
    reference: Undisturbed,
    seed: int,
) -> list[str]:
    """SIGKILL of a process every 20 s on average while a study is made, which must end as the reference.

    `victims`: name of a kind of process -> ids of those that run now, given the launcher; `choices`: names
    to draw from.
    """
    draw = random.Random(seed)
    found: collections.Counter = collections.Counter()
    with marked(study):
        launcher = study.start()
        while (status := _status_after(launcher, draw.expovariate(1 / 20))) != 0:
            if status is not None:  # it noticed a kill, and ended
                found["launch after an end with an error"] += 1
                if found["launch after an end with an error"] > _LAUNCHES:
                    raise Wrong(f"it ends with status {status}:\n{study.log.read_text()[-3000:]}")
                launcher = study.start()
                continue
            whom = draw.choice(choices)
            if processes := victims[whom](launcher):
                at = study.at()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(draw.choice(processes), signal.SIGKILL)
                    found[f"SIGKILL of a {whom} ({at})"] += 1
            if whom == "launcher":
                launcher.wait()
                launcher = study.start()
        check(study, reference)
    return sorted(found.elements())


def _status_after(process: subprocess.Popen, seconds: float) -> int | None:
    """Exit status of a process that ends within these seconds; None where it goes on."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(seconds)
    return None


def report_kill(reference: Undisturbed, place: Path, seed: int) -> list[str]:
    """SIGKILL of the launcher while it aggregates and reports finished runs."""
    draw, study = random.Random(seed), Study(place, reference.runs)
    shutil.copytree(reference.study.output / "runs", study.output / "runs")
    with marked(study):
        launcher = study.start()
        status = _status_after(launcher, draw.uniform(1, 15))
        launcher.kill()
        launcher.wait()
        check(study, reference)
    return ["SIGKILL of a launcher (report)"] if status is None else []


def two_studies(reference: Undisturbed, place: Path, seed: int) -> list[str]:
    """A second study in the same folder is refused; the first one ends as if alone."""
    draw, study = random.Random(seed), Study(place, reference.runs)
    with marked(study):
        first = study.start()
        while not (study.output / ".study.lock").exists() and first.poll() is None:
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 10))
        study.wait(study.start(), expected=2)
        if f"process {first.pid} on host" not in study.log.read_text():
            raise Wrong(f"the second study says {study.log.read_text()[-500:]}")
        study.wait(first)
        check(study, reference)
    return ["a second study in the same folder"]


def no_memory(reference: Undisturbed, place: Path, seed: int) -> list[str]:
    """A worker gets no more memory than it has, for one attempt at a run."""
    draw, study = random.Random(seed), Study(place, reference.runs)
    with marked(study):
        launcher = study.start()
        worker = _first_worker(study, launcher)
        time.sleep(draw.uniform(0, 10))
        with contextlib.suppress(ProcessLookupError):
            size = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * 4096
            resource.prlimit(worker, resource.RLIMIT_AS, (size + 2**20, size + 2**20))
        study.wait(launcher)
        check(study, reference)
    ended = re.findall(
        r"(?:MemoryError|ResourceExhausted|was aborted)[^\n]*", study.log.read_text()
    )
    return [f"no memory for a worker ({'noticed' if ended else 'enough'})"]


def hang(reference: Undisturbed, place: Path, seed: int) -> list[str]:
    """A worker is stopped by SIGSTOP; --time-limit ends the study, and the same command goes on."""
    draw, study = random.Random(seed), Study(place, reference.runs)
    with marked(study):
        launcher = study.start("--time-limit", "40s")
        worker = _first_worker(study, launcher)
        time.sleep(draw.uniform(0, 10))
        os.kill(worker, signal.SIGSTOP)
        begun = time.monotonic()
        study.wait(launcher, expected=124)
        if time.monotonic() - begun > 60:
            raise Wrong("the study went on beyond its time limit")
        check(study, reference)
    return ["SIGSTOP of a worker"]


def _first_worker(study: Study, launcher: subprocess.Popen) -> int:
    for _ in itertools.count():
        if workers := study.workers():
            return workers[0]
        if launcher.poll() is not None:
            raise Wrong(f"the study has ended: {study.log.read_text()[-1000:]}")
        time.sleep(0.1)


_undisturbed = functools.cache(Undisturbed)


def undisturbed(folder: Path, kind: str) -> Undisturbed:
    return _undisturbed(folder, 20 if kind == "study_kills" else 6)
