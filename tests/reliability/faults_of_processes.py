# SPDX-License-Identifier: Apache-2.0
"""Faults of processes: SIGKILL, signals, two processes at once, clocks that jump."""

import os
import random
import re
import time
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

from faults_pipeline import (
    Pipeline,
    Reference,
    check_end,
    check_finished_parts,
    undisturbed,  # noqa: F401
)
from faults_support import Wrong, status_of


def kill(expected: Reference, place: Path, seed: int) -> list[str]:
    """One to three SIGKILLs at random moments of training, postprocessing, metrics and pictures."""
    draw = random.Random(seed)
    pipeline, found = Pipeline(place / "base"), []
    for _ in range(draw.randint(1, 3)):
        status = pipeline.run_and_signal(SIGKILL, draw.uniform(0, expected.seconds))
        if status not in (0, 137):
            raise Wrong(f"exit status {status}:\n{pipeline.log.read_text()[-3000:]}")
        check_finished_parts(pipeline, expected.results)
        if status == 137:
            found.append(f"SIGKILL in {pipeline.at.strip()}")
    check_end(pipeline, expected.results)
    return found


def signal(expected: Reference, place: Path, seed: int) -> list[str]:
    """SIGTERM or SIGINT at a random moment."""
    draw = random.Random(seed)
    pipeline = Pipeline(place / "base")
    number = draw.choice([SIGTERM, SIGINT])
    begun = time.monotonic()
    status = pipeline.run_and_signal(number, draw.uniform(0, expected.seconds))
    if status not in (0, 128 + number):
        raise Wrong(f"exit status {status} after {number}:\n{pipeline.log.read_text()[-3000:]}")
    at = pipeline.at.strip()
    if time.monotonic() - begun > expected.seconds + 60:
        raise Wrong("it went on for a minute")
    check_end(pipeline, expected.results)
    return [f"{number.name} in {at}"] if status else []


def two_at_once(expected: Reference, place: Path, seed: int) -> list[str]:
    """Two processes into the same directories: one of them makes each, the other one is refused."""
    pipeline = Pipeline(place / "base")
    first = pipeline.start()
    time.sleep(random.Random(seed).uniform(0, expected.seconds / 2))
    second = pipeline.start()
    statuses = [status_of(first), status_of(second)]
    refused = f"Another process is at work in .*process ({first}|{second}) on host"
    message = pipeline.message()
    if not re.search(f"{refused}|exists and was left", message):
        raise Wrong(f"exit statuses {statuses}, message {message!r} instead of {refused}")
    check_end(pipeline, expected.results)
    return ["a second process in the same directories"]


def clock(expected: Reference, place: Path, seed: int) -> list[str]:
    """A training run is killed, and what it left is days older or days newer than the clock when it goes on."""
    draw = random.Random(seed)
    pipeline = Pipeline(place / "base")
    pipeline.run_and_signal(SIGKILL, draw.uniform(0.3, 1) * expected.seconds)
    days = draw.choice([-400, -1, 1, 400])
    for path in place.rglob("*"):
        jumped = path.stat().st_mtime + 86400 * days
        os.utime(path, (jumped, jumped))
    check_end(pipeline, expected.results)
    return [f"a clock set {'back' if days > 0 else 'ahead'} by {abs(days)} days"]
