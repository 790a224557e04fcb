# SPDX-License-Identifier: Apache-2.0
"""Makes runs of the study in several worker processes."""

import asyncio
import collections
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence

from vae_ortho_plugin.study.durations import duration
from vae_ortho_plugin.study.experiments import Run
from vae_ortho_plugin.study.layout import ResultsFolder
from vae_ortho_plugin.study.run.display import Display, shown
from vae_ortho_plugin.study.run.progress import Failure, Progress

WORKER = (sys.executable, "-m", "vae_ortho_plugin.study.run.worker")


def make_in_workers(
    runs: Sequence[Run], folder: ResultsFolder, jobs: int, threads: int
) -> list[Failure]:
    """Makes `runs`, `jobs` at a time with `threads` threads each; returns those that failed.

    A run's directory appears when it is complete. An interruption ends the workers and deletes
    unfinished runs.
    """
    progress = Progress(collections.deque(runs), jobs)
    folder.logs.mkdir(parents=True, exist_ok=True)
    with shown(progress) as display:
        asyncio.run(feed_workers(progress, folder, threads, display))
    return progress.failures


async def feed_workers(
    progress: Progress, folder: ResultsFolder, threads: int, display: Display
) -> None:
    """Makes the waiting runs of `progress` in its number of workers."""
    feeders = [
        asyncio.create_task(_feed_worker(progress, folder, threads, display))
        for _ in range(progress.jobs)
    ]
    ticker = asyncio.create_task(_tick(display))
    try:
        await asyncio.gather(*feeders)
    finally:
        for task in (*feeders, ticker):
            task.cancel()
        await asyncio.gather(*feeders, ticker, return_exceptions=True)
        for run in progress.running:  # none, unless interrupted
            shutil.rmtree(folder.run(run).partial.directory, ignore_errors=True)


async def _feed_worker(
    progress: Progress, folder: ResultsFolder, threads: int, display: Display
) -> None:
    process = None
    try:
        while progress.waiting:
            run = progress.waiting.popleft()
            begun = progress.running[run] = time.monotonic()
            process = process or await _start_worker(threads)
            error = await _make_in_worker(process, run, folder)
            del progress.running[run]
            progress.done += 1
            took = time.monotonic() - begun
            if error is None:
                progress.seconds.setdefault(run.experiment, []).append(took)
                display.line(f"{run}: {duration(took)}")
            else:
                await _end(process)  # it ends by itself after an error
                process = None
                progress.failures.append(Failure(run, error, folder.log(run)))
                display.line(f"{run}: FAILED, {error} ({folder.log(run)})")
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


async def _make_in_worker(
    process: asyncio.subprocess.Process, run: Run, folder: ResultsFolder
) -> str | None:
    """Hands a run to a worker; returns the error, None when the run is finished."""
    files = folder.run(run)
    job = {
        "model_num": run.model_num,
        "epochs": run.shortened_to,
        "directory": str(files.directory),
        "log": str(folder.log(run)),
    }
    with contextlib.suppress(ConnectionError):
        process.stdin.write(f"{json.dumps(job)}\n".encode())
        await process.stdin.drain()
    answer = await process.stdout.readline()
    if not answer:
        code = await process.wait()
        shutil.rmtree(files.partial.directory, ignore_errors=True)
        return f"its process ended with exit code {code}"
    return json.loads(answer)["error"]


async def _tick(display: Display) -> None:
    """Keeps the display up to date."""
    while True:
        display.update()
        await asyncio.sleep(1)
