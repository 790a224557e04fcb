# SPDX-License-Identifier: Apache-2.0
"""Faults of disks and files: full, read-only, unreadable, truncated, with flipped bits."""

import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

from faults_pipeline import (
    MESSAGE,
    Pipeline,
    Reference,
    check_end,
    check_finished_parts,
    undisturbed,  # noqa: F401
)
from faults_support import Impossible, Wrong


def full_disk(expected: Reference, place: Path, seed: int) -> list[str]:
    """A file system in memory that is full at a random step; then it gets room."""
    if os.geteuid() != 0:
        raise Impossible("it needs root")
    draw = random.Random(seed)
    disk = place / "disk"
    disk.mkdir(parents=True)
    kib = draw.randint(60, expected.kib)
    _run("mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk))
    try:
        pipeline = Pipeline(disk / "base", place / "base")
        status = pipeline.run()
        if status not in (0, MESSAGE):
            raise Wrong(f"exit status {status}:\n{pipeline.log.read_text()[-3000:]}")
        if status == MESSAGE and "Make room there" not in pipeline.message():
            raise Wrong(f"the message is {pipeline.message()}")
        check_finished_parts(pipeline, expected.results)
        at = pipeline.at.strip()
        _run("mount", "-o", "remount,size=200m", str(disk))
        check_end(pipeline, expected.results)
    finally:
        _run("umount", "-l", str(disk))
    return [f"a full disk in {at}"] if status else []


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Impossible(done.stderr.strip())


def no_permission(expected: Reference, place: Path, seed: int) -> list[str]:
    """The mode of a directory forbids to write, or to read, at a random step."""
    draw = random.Random(seed)
    pipeline = Pipeline(place / "base")
    after = draw.choice(list(pipeline.outputs()))
    for step, output in pipeline.outputs().items():
        if step == after:
            break
        shutil.copytree(expected.pipeline.outputs()[step], output)
    output = pipeline.outputs()[after]
    output.parent.mkdir(parents=True, exist_ok=True)
    unreadable = after != "train" and draw.random() < 0.5
    closed = pipeline.base / ("model" if unreadable else output.parent.relative_to(pipeline.base))
    mode = 0o000 if unreadable else 0o555
    os.chmod(closed, mode)
    status = pipeline.run(heeding_modes=True)
    os.chmod(closed, 0o755)
    if status != MESSAGE:
        raise Wrong(f"exit status {status} in {after}:\n{pipeline.log.read_text()[-3000:]}")
    check_end(pipeline, expected.results)
    return [f"a directory of mode {mode:03o} in {after}"]


def damage(expected: Reference, place: Path, seed: int) -> list[str]:
    """A finished file is truncated or has a flipped bit; what reads it must refuse it or not need it."""
    draw = random.Random(seed)
    pipeline = Pipeline(place / "base")
    shutil.copytree(expected.pipeline.base, pipeline.base, dirs_exist_ok=True)
    outputs = pipeline.outputs()
    source = draw.choice(["data", "train", "postprocess"])
    where = pipeline.base / "data.npz" if source == "data" else outputs[source]
    read = [where] if source == "data" else [*_files(where / "tfhub"), *_files(where / "results")]
    path = draw.choice(read)
    fault = _damage(path, draw)
    readers = {"data": list(outputs), "train": ["postprocess", "visualize"]}
    for step in readers.get(source, ["dto", "disentanglement_score"]):
        shutil.rmtree(outputs[step])
    status = pipeline.run()
    if status not in (0, MESSAGE):
        raise Wrong(f"{path}: exit status {status}:\n{pipeline.log.read_text()[-3000:]}")
    if status == MESSAGE and path.name not in pipeline.message():
        raise Wrong(f"{path} is not named: {pipeline.message()}")
    for step, found in pipeline.finished(without=source).items():
        if any(found[name] != expected.results[step][name] for name in found):
            raise Wrong(f"the step {step} has wrong results after {fault} of {path}")
    return [f"{fault} of {'the data' if source == 'data' else f'files of {source}'}"]


def damaged_checkpoint(expected: Reference, place: Path, seed: int) -> list[str]:
    """A killed training run finds one of its checkpoints damaged."""
    draw = random.Random(seed)
    pipeline = Pipeline(place / "base")
    pipeline.run_and_signal(signal.SIGKILL, draw.uniform(0.5, 0.9) * expected.train_seconds)
    sums = pipeline.base.glob("model.unfinished/checkpoints/[0-9]*/SHA256SUMS")
    whole = sorted(path.parent for path in sums)
    found = []
    if whole:
        fault = _damage(draw.choice(_files(draw.choice(whole))), draw)
        found.append(f"{fault} of a checkpoint")
    check_end(pipeline, expected.results)
    return found


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)


def _damage(path: Path, draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    position = draw.randrange(len(content))
    flip = draw.random() < 0.5
    if flip:
        content[position] ^= 1 << draw.randrange(8)
    path.write_bytes(content if flip else content[:position])
    return "a flipped bit" if flip else "a truncation"
