# SPDX-License-Identifier: Apache-2.0
"""Makes runs of the study in several worker processes."""

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator

from vae_ortho_plugin.engine import xla_cache
from vae_ortho_plugin.engine.interruption import SIGNALS, Interrupted
from vae_ortho_plugin.files import write_text
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.schedule import chain
from vae_ortho_plugin.study.run.machine import describe_limit
from vae_ortho_plugin.study.run.state import StudyState

WORKER = (sys.executable, "-m", "vae_ortho_plugin.study.run.worker")
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
# A session call takes up to two seconds and a checkpoint of the largest network less than a second.
_SECONDS_TO_STOP = 10.0
_LONGEST_ANSWER = 2**20


def make_in_workers(state: StudyState, threads: int) -> bool:
    """Makes the runs of a study in processes with so many threads; returns whether all were tried in time.

    A run's directory appears when it is complete. An interruption or the end of the time stops the workers; an
    unfinished run stays and is continued by the next call.

    Raises:
        Interrupted: SIGINT, SIGTERM or SIGHUP arrived.
    """
    state.folder.logs.mkdir(parents=True, exist_ok=True)
    # What one worker has compiled the others need not.
    with state.shown(), xla_cache.used():
        return asyncio.run(_feed_workers(state, threads))


async def _feed_workers(state: StudyState, threads: int) -> bool:
    feeders = [asyncio.create_task(_feed_worker(state, threads)) for _ in range(state.jobs)]
    others = [asyncio.create_task(show(state)) for show in (_update, _renew_report)]
    made = asyncio.gather(*feeders)
    seconds = None if state.end == math.inf else max(0.0, state.end - time.monotonic())
    with _first_signal() as arrived:
        try:
            ended = asyncio.FIRST_COMPLETED
            await asyncio.wait({made, arrived}, timeout=seconds, return_when=ended)
            in_time = made.done()
        finally:
            for task in (*feeders, *others):
                task.cancel()
            await asyncio.gather(made, *feeders, *others, return_exceptions=True)
        if arrived.done():
            raise Interrupted("", arrived.result())
    if in_time:
        made.result()  # raises what a feeder raised
    return in_time


@contextlib.contextmanager
def _first_signal() -> Iterator[asyncio.Future[int]]:
    """Gives the first SIGINT, SIGTERM or SIGHUP that arrives within; an ignored SIGHUP, as by nohup, stays ignored.

    The event loop handles them, because an exception of Python's own handlers could end any of the tasks and
    leave its worker alone.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[int] = loop.create_future()
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    if previous[signal.SIGHUP] == signal.SIG_IGN:
        del previous[signal.SIGHUP]
    for number in previous:
        loop.add_signal_handler(
            number, lambda number: arrived.done() or arrived.set_result(number), number
        )
    try:
        yield arrived
    finally:
        for number, handler in previous.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def _update(state: StudyState) -> None:
    while True:
        state.update()
        await asyncio.sleep(1)


async def _renew_report(state: StudyState) -> None:
    while True:
        await asyncio.sleep(1)
        if state.report_is_due():
            state.say_of_report(await asyncio.to_thread(state.renew_report))


async def _feed_worker(state: StudyState, threads: int) -> None:
    worker = _Worker(threads)
    try:
        while (run := _next_run(state)) is not None:
            state.waiting.remove(run)
            begun = state.running[run] = time.monotonic()
            for attempts_left in range(state.retries, -1, -1):
                error, user_must_fix = await worker.make(run, state.folder)
                if error is None or user_must_fix or not attempts_left:
                    break
                state.say(f"{run}: {error}; trying again")
            del state.running[run]
            if error is None:
                state.finish(run, time.monotonic() - begun)
            else:
                partial = state.folder.run(run).partial
                # A worker that could not leave its error has ended without an answer.
                if partial.path.exists() and not partial.error.exists():
                    with contextlib.suppress(OSError):  # such as a full disk
                        write_text(partial.error, error)
                state.fail(run, error)
    except asyncio.CancelledError:
        await worker.stop()
        raise
    await worker.end()


def _next_run(state: StudyState) -> Run | None:
    """The first waiting run that continues none at work; those that do are left to the workers of the shorter ones."""
    at_work = {chain(run) for run in state.running}
    return next((run for run in state.waiting if chain(run) not in at_work), None)


class _Worker:
    """A process that makes runs, started when it is needed; see `worker`."""

    def __init__(self, threads: int):
        self._threads = threads
        self._process: asyncio.subprocess.Process | None = None

    async def make(self, run: Run, folder: ResultsFolder) -> tuple[str | None, bool]:
        """Makes a run; returns the error, if any, and whether the user must fix it."""
        job = {
            "model_num": run.model_num,
            "epochs": run.shortened_to,
            "directory": str(folder.run(run).path),
            "log": str(folder.log(run)),
        }
        answer = {"user_must_fix": False}
        try:
            self._process = self._process or await asyncio.create_subprocess_exec(
                *WORKER,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={
                    # Or the first worker takes all of a GPU's memory.
                    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
                    **os.environ,
                    **dict.fromkeys(_THREADS, str(self._threads)),
                },
                # Ctrl-C is for this process, which then ends its workers.
                start_new_session=True,
                limit=_LONGEST_ANSWER,
            )
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(f"{json.dumps(job)}\n".encode())
                await self._process.stdin.drain()
            line = await self._process.stdout.readline()
            if line.endswith(b"\n"):
                answer = json.loads(line)
            else:
                answer["error"] = _death(await self._process.wait())
        except OSError as error:  # such as no memory for another process
            answer["error"] = f"no worker: {error}"
        except ValueError as unreadable:  # longer than _LONGEST_ANSWER, or not JSON
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            answer["error"] = f"its answer cannot be read: {unreadable}"
        if answer["error"] is None:
            return None, False
        await self.end()  # it ends by itself after an error
        return answer["error"], answer["user_must_fix"]

    async def end(self) -> None:
        """Waits for the end of the process, which has no further run to make."""
        if self._process is not None:
            self._process.stdin.close()
            await self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """Lets the process write a checkpoint, and ends it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        ending = asyncio.create_task(self.end())
        await asyncio.wait({ending}, timeout=_SECONDS_TO_STOP)
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self._process.kill()
        await ending


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
