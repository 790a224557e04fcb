# SPDX-License-Identifier: Apache-2.0
"""Makes runs of the study in several worker processes."""

import asyncio
import collections
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence

from vae_ortho_plugin.engine.interruption import SIGNALS
from vae_ortho_plugin.study.plan.durations import duration
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.run.display import Display, shown
from vae_ortho_plugin.study.run.memory import describe_limit
from vae_ortho_plugin.study.run.progress import Failure, Progress

WORKER = (sys.executable, "-m", "vae_ortho_plugin.study.run.worker")
# A session call takes up to two seconds and a checkpoint of the largest network less than a second.
_SECONDS_TO_STOP = 10.0
_LONGEST_ANSWER = 2**20


class TimeLimitReached(Exception):
    """The time limit of a study has passed; its workers have been stopped.

    Attributes:
        failures: runs that failed before.
    """

    def __init__(self, failures: list[Failure]):
        super().__init__()
        self.failures = failures


class Stopped(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP has stopped the workers of a study.

    Attributes:
        exit_code: what the study's process exits with, 128 + number of the signal.
    """

    def __init__(self, number: int):
        super().__init__()
        self.exit_code = 128 + number


def make_in_workers(
    runs: Sequence[Run],
    folder: ResultsFolder,
    jobs: int,
    threads: int,
    retries: int = 0,
    time_limit: float | None = None,
) -> list[Failure]:
    """Makes `runs`, `jobs` at a time with `threads` threads each; returns those that failed.

    A run's directory appears when it is complete. An interruption or the time limit stops the workers; an
    unfinished run stays and is continued by the next call.

    Args:
        runs: what to make.
        folder: the results folder.
        jobs: number of workers.
        threads: number of threads of each worker.
        retries: further attempts at a run that failed, unless the user must fix the error.
        time_limit: seconds after which the workers are stopped; None: no limit.

    Raises:
        TimeLimitReached: the time limit passed.
        Stopped: SIGINT, SIGTERM or SIGHUP arrived.
    """
    progress = Progress(collections.deque(runs), jobs)
    folder.logs.mkdir(parents=True, exist_ok=True)
    with shown(progress) as display:
        asyncio.run(feed_workers(progress, folder, threads, display, retries, time_limit))
    return progress.failures


async def feed_workers(
    progress: Progress,
    folder: ResultsFolder,
    threads: int,
    display: Display,
    retries: int = 0,
    time_limit: float | None = None,
) -> None:
    """Makes the waiting runs of `progress` in its number of workers; arguments as `make_in_workers`."""
    feeders = [
        asyncio.create_task(_feed_worker(progress, folder, threads, display, retries))
        for _ in range(progress.jobs)
    ]
    ticker = asyncio.create_task(_tick(display))
    with _signals_cancel(asyncio.current_task()) as arrived:
        try:
            made, unfinished = await asyncio.wait(
                feeders, timeout=time_limit, return_when=asyncio.FIRST_EXCEPTION
            )
        except asyncio.CancelledError:
            if not arrived:
                raise
            made, unfinished = set(), set()
        finally:
            for task in (*feeders, ticker):
                task.cancel()
            await asyncio.gather(*feeders, ticker, return_exceptions=True)
    if arrived:
        raise Stopped(arrived[0])
    for feeder in made:
        feeder.result()  # raises what it raised
    if unfinished:
        raise TimeLimitReached(progress.failures)


@contextlib.contextmanager
def _signals_cancel(task: asyncio.Task) -> Iterator[list[int]]:
    """Within: the first SIGINT, SIGTERM or SIGHUP cancels the task; yields the signals that have arrived.

    An ignored SIGHUP, as by nohup, stays ignored. A handler of the event loop, because an exception of Python's own handlers could end any of the
    tasks and leave its worker alone.
    """
    arrived: list[int] = []

    def note(number: int) -> None:
        if not arrived:
            task.cancel()
        arrived.append(number)

    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    if previous[signal.SIGHUP] == signal.SIG_IGN:
        del previous[signal.SIGHUP]
    for number in previous:
        loop.add_signal_handler(number, note, number)
    try:
        yield arrived
    finally:
        for number, handler in previous.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def _feed_worker(
    progress: Progress, folder: ResultsFolder, threads: int, display: Display, retries: int
) -> None:
    process = None
    try:
        while progress.waiting:
            run = progress.waiting.popleft()
            begun = progress.running[run] = time.monotonic()
            for attempt in range(retries + 1):
                try:
                    process = process or await _start_worker(threads)
                    answer = await _make_in_worker(process, run, folder)
                except OSError as error:  # such as no memory for another process
                    answer = {"error": f"no worker: {error}", "user_must_fix": False}
                if answer["error"] is None:
                    break
                if process is not None:
                    await _end(process)  # it ends by itself after an error
                process = None
                if answer["user_must_fix"] or attempt == retries:
                    break
                display.line(f"{run}: {answer['error']}; trying again")
            del progress.running[run]
            progress.done += 1
            took = time.monotonic() - begun
            if answer["error"] is None:
                progress.seconds.setdefault(run.experiment, []).append(took)
                display.line(f"{run}: {duration(took)}")
            else:
                progress.failures.append(Failure(run, answer["error"], folder.log(run)))
                display.line(f"{run}: FAILED, {answer['error']} ({folder.log(run)})")
    except asyncio.CancelledError:
        if process is not None:
            await _stop(process)
        raise
    if process is not None:
        await _end(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Lets a worker write a checkpoint, and ends it."""
    process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _SECONDS_TO_STOP)
    except TimeoutError:  # not the built-in one before Python 3.11
        process.kill()
        await process.wait()


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
        limit=_LONGEST_ANSWER,
    )


async def _make_in_worker(
    process: asyncio.subprocess.Process, run: Run, folder: ResultsFolder
) -> dict:
    """Hands a run to a worker; returns its answer, see `worker`."""
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
    try:
        answer = await process.stdout.readline()
        if answer.endswith(b"\n"):
            return json.loads(answer)
    except ValueError as error:  # longer than _LONGEST_ANSWER, or not JSON
        process.kill()
        await process.wait()
        return {"error": f"its answer cannot be read: {error}", "user_must_fix": False}
    return {"error": _death(await process.wait()), "user_must_fix": False}


def _death(code: int) -> str:
    """How a worker's process ended without an answer."""
    if code == -signal.SIGKILL:
        return (
            "its process was killed (SIGKILL), which Linux does when memory runs out. There are "
            f"{describe_limit()}. Fewer --jobs need less"
        )
    if code == -signal.SIGABRT:
        return (
            "its process was aborted (SIGABRT), which TensorFlow does when it gets no memory, among other "
            f"errors. There are {describe_limit()}. The log may say more"
        )
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


async def _tick(display: Display) -> None:
    """Keeps the display up to date."""
    while True:
        display.update()
        await asyncio.sleep(1)
