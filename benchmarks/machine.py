# SPDX-License-Identifier: Apache-2.0
"""The machine: what it is, how busy it is, and the rates at which it copies and multiplies."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = (
    "tensorflow",
    "tensorflow-probability",
    "disentanglement-lib",
    "numpy",
    "scipy",
    "scikit-learn",
)


def describe() -> dict[str, object]:
    """Processor, cores, memory in GiB, GPUs, system, versions and the checkout's commit."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": _gpus(),
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "commit": commit(),
    }


def tensorflow_has_a_gpu() -> bool:
    """Whether TensorFlow can use one; asked in a process of its own, which does not keep the GPU's memory."""
    program = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) > 0


def _gpus() -> list[str]:
    """Name and driver of each GPU, and how TensorFlow multiplies on it."""
    query = "--query-gpu=name,driver_version"
    gpus = (
        _lines("nvidia-smi", query, "--format=csv,noheader") if shutil.which("nvidia-smi") else []
    )
    if not gpus:
        return []
    import tensorflow as tf

    cuda = tf.sysconfig.get_build_info().get("cuda_version", "none")
    tf32 = "on" if tf.config.experimental.tensor_float_32_execution_enabled() else "off"
    return [f"{gpu}, CUDA {cuda}, TF32 {tf32}" for gpu in gpus]


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def commit() -> str:
    """The checkout's commit; where its code differs from that, also a short digest of the differences."""
    head = _lines("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if not head:
        return "unknown"
    changes = _lines("git", "-C", str(ROOT), "diff", "HEAD", "--", "*.py", "*.gin")
    if not changes:
        return head[0]
    return f"{head[0]} with changes {hashlib.sha256(repr(changes).encode()).hexdigest()[:7]}"


def busy_cores(seconds: float = 1.0) -> float | None:
    """How many cores work while this process sleeps; None where that is not known."""
    try:
        before = _cpu_times()
        time.sleep(seconds)
        after = _cpu_times()
    except OSError:
        return None
    passed = after.sum() - before.sum()
    idle = (after - before)[3:5].sum()  # idle, and waiting for input or output
    return round(float((1 - idle / passed) * (os.cpu_count() or 1)), 1)


def copy_rate(megabytes: int = 256) -> float:
    """Bytes read and written a second, by all cores, between arrays that no cache holds."""
    source = np.ones((cores(), megabytes * 2**20 // cores()), np.uint8)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(cores()) as pool:
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(np.copyto, target, source))
            best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cpu_times() -> np.ndarray:
    return np.array(Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9], float)


def _lines(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []
