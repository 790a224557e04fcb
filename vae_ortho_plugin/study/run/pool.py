# SPDX-License-Identifier: Apache-2.0
"""Makes runs of the study in several worker processes and shows how far they are."""

import asyncio
import collections
import contextlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vae_ortho_plugin.study.experiments import Cell, Run
from vae_ortho_plugin.study.run.worker import partial_directory

WORKER = (sys.executable, "-m", "vae_ortho_plugin.study.run.worker")


@dataclass
class Failure:
    run: Run
    error: str
    log: Path


@dataclass
class Progress:
    """What is done and what is not, in seconds of a clock.

    Attributes:
        waiting: runs not begun.
        running: run -> when it began.
        seconds: cell -> how long its finished runs took.
        failures: runs that failed.
    """

    waiting: collections.deque[Run]
    jobs: int
    running: dict[Run, float] = field(default_factory=dict)
    seconds: dict[Cell, list[float]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    done: int = 0

    @property
    def total(self) -> int:
        return self.done + len(self.running) + len(self.waiting)

    def seconds_left(self, now: float) -> float | None:
        """Estimate from the runs finished so far, those of the same cell first; None before any."""
        finished = [took for cell in self.seconds.values() for took in cell]
        if not finished:
            return None
        overall = statistics.mean(finished)

        def expected(run: Run) -> float:
            return statistics.mean(self.seconds.get(run.cell, [overall]))

        rest = [max(0.0, expected(run) - (now - begun)) for run, begun in self.running.items()]
        work = sum(rest) + sum(expected(run) for run in self.waiting)
        return max(work / self.jobs, *rest, 0.0)

    def line(self, now: float) -> str:
        left = self.seconds_left(now)
        text = f"{self.done} of {self.total} runs done"
        if self.failures:
            text += f" ({len(self.failures)} failed)"
        return f"{text}, {'estimating the time left' if left is None else duration(left) + ' left'}"


def duration(seconds: float) -> str:
    """Such as '40 s', '3 min', '1 h 20 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def make_runs(
    runs: Sequence[Run],
    directory_of: Callable[[Run], Path],
    logs: Path,
    jobs: int,
    threads: int,
) -> list[Failure]:
    """Makes `runs`, `jobs` at a time with `threads` threads each; returns those that failed.

    A run's directory appears when it is complete. Interrupted, it ends the workers and leaves
    nothing of what they were at.
    """
    progress = Progress(collections.deque(runs), jobs)
    logs.mkdir(exist_ok=True)
    asyncio.run(_make_runs(progress, directory_of, logs, threads))
    return progress.failures


async def _make_runs(
    progress: Progress, directory_of: Callable[[Run], Path], logs: Path, threads: int
) -> None:
    feeders = [
        asyncio.create_task(_feed_worker(progress, directory_of, logs, threads))
        for _ in range(progress.jobs)
    ]
    ticker = asyncio.create_task(_tick(progress))
    try:
        await asyncio.gather(*feeders)
    finally:
        for task in (*feeders, ticker):
            task.cancel()
        await asyncio.gather(*feeders, ticker, return_exceptions=True)
        for run in progress.running:  # none, unless interrupted
            shutil.rmtree(partial_directory(directory_of(run)), ignore_errors=True)
        _clear_line()


async def _feed_worker(
    progress: Progress, directory_of: Callable[[Run], Path], logs: Path, threads: int
) -> None:
    process = None
    try:
        while progress.waiting:
            run = progress.waiting.popleft()
            begun = progress.running[run] = time.monotonic()
            process = process or await _start_worker(threads)
            log = logs / f"{str(run).replace('/', '-')}.log"
            error = await _make_run(process, run, directory_of(run), log)
            del progress.running[run]
            progress.done += 1
            took = time.monotonic() - begun
            if error is None:
                progress.seconds.setdefault(run.cell, []).append(took)
                _report(progress, f"{run}: {duration(took)}")
            else:
                await _end(process)  # it ends by itself after an error
                process = None
                progress.failures.append(Failure(run, error, log))
                _report(progress, f"{run}: FAILED, {error} ({log})")
    except asyncio.CancelledError:
        if process is not None:
            process.kill()
            await process.wait()
        raise
    if process is not None:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    process.stdin.close()
    await process.wait()


async def _start_worker(threads: int) -> asyncio.subprocess.Process:
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return await asyncio.create_subprocess_exec(
        *WORKER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # or the first worker takes all of a GPU's memory
            **os.environ,
            **dict.fromkeys(names, str(threads)),
        },
        # Ctrl-C is for this process, which then ends its workers.
        start_new_session=True,
    )


async def _make_run(
    process: asyncio.subprocess.Process, run: Run, directory: Path, log: Path
) -> str | None:
    row = run.cell.row
    job = {
        "model_num": run.model_num,
        "epochs": row.epochs if row.epochs < row.study_row.epochs else None,
        "directory": str(directory),
        "log": str(log),
    }
    with contextlib.suppress(ConnectionError):
        process.stdin.write(f"{json.dumps(job)}\n".encode())
        await process.stdin.drain()
    answer = await process.stdout.readline()
    if not answer:
        code = await process.wait()
        shutil.rmtree(partial_directory(directory), ignore_errors=True)
        return f"its process ended with exit code {code}"
    return json.loads(answer)["error"]


def _report(progress: Progress, text: str) -> None:
    _clear_line()
    print(f"[{progress.done}/{progress.total}] {text}; {progress.line(time.monotonic())}")
    sys.stdout.flush()


async def _tick(progress: Progress) -> None:
    """Keeps one line up to date on a terminal."""
    while sys.stdout.isatty():
        names = ", ".join(map(str, progress.running))
        width = shutil.get_terminal_size().columns - 1
        text = f"{progress.line(time.monotonic())}; now {names}"
        print(f"\r\x1b[K{text[:width]}", end="", flush=True)
        await asyncio.sleep(1)


def _clear_line() -> None:
    if sys.stdout.isatty():
        print("\r\x1b[K", end="")
