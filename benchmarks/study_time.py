# SPDX-License-Identifier: Apache-2.0
"""How long the studies take: some short runs measured, the others counted."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks.data import data_root
from benchmarks.framework import NotMeasured, Row, Series, Settings
from vae_ortho_plugin.study.plan import data_variants, experiments, plans

# Variant -> epochs of a short run and of one so much longer that the machine does not hide it.
EPOCHS = {
    experiments.SYNTH_LINEAR: (10, 600),
    experiments.SYNTH_LINEAR_64: (10, 600),
    experiments.SYNTH_NONLINEAR: (10, 200),
    experiments.SYNTH_NONLINEAR_64: (10, 200),
    experiments.MNIST: (1, 4),
}
NAME, DSPRITES_ROW = "study-run", "train-dsprites-fc"


@contextlib.contextmanager
def one_run(settings: Settings, data: data_variants.DataVariant, epochs: int) -> Iterator[Callable]:
    """Seconds of a run of the study by one of its workers, on one core, as the study makes them."""
    process = _worker(str(data_root(settings, data.data_set)))
    directory = settings.scratch / f"run_{data.name}_{epochs}"
    job = {
        "model_num": experiments.Run(experiments.table_1_experiments(data)[0], seed=0).model_num,
        "epochs": epochs,
        "directory": str(directory),
        "log": str(directory.with_suffix(".log")),
    }

    def measure() -> float:
        shutil.rmtree(directory, ignore_errors=True)
        start = time.perf_counter()
        print(json.dumps(job), file=process.stdin)
        answer = json.loads(process.stdout.readline() or '{"error": "its process ended"}')
        if answer["error"]:
            raise NotMeasured(answer["error"])
        return time.perf_counter() - start

    measure()  # the first one starts TensorFlow
    yield measure


@functools.cache
def _worker(data_root: str) -> subprocess.Popen:
    """The study's worker that makes all runs, until this process ends."""
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    process = subprocess.Popen(
        [sys.executable, "-m", "vae_ortho_plugin.study.run.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(threads, "1"), "DISENTANGLEMENT_LIB_DATA": data_root},
        text=True,
        bufsize=1,
    )
    atexit.register(process.kill)
    return process


def _series(data: data_variants.DataVariant, epochs: int) -> Series:
    return Series(_name(data, epochs), functools.partial(one_run, data=data, epochs=epochs))


def _name(data: data_variants.DataVariant, epochs: int) -> str:
    return f"{data.title}, {epochs} of {data.epochs} epochs"


ROWS = (
    Row(
        NAME,
        "One run of the study, start of TensorFlow excluded",
        "s",
        tuple(_series(data, epochs) for data in EPOCHS for epochs in EPOCHS[data]),
        "Training with the study's measures on one core, visualizations, representation, metrics.",
    ),
)


def estimates(rows: list[dict]) -> str:
    """A Markdown table of the studies and their hours on as many cores; empty without the rows it needs.

    Each run takes what its data set's short run takes without its epochs, and for each epoch what a longer
    run took more. The study makes as many runs at a time as there are cores. For dSprites, whose runs are too long
    for that, the epochs come from the training speed on all cores. All models count as the (β-)VAE.
    """
    medians = {
        row["name"]: {series["name"]: series.get("median") for series in row["series"]}
        for row in rows
    }
    if not {NAME, DSPRITES_ROW} <= set(medians) or None in medians[NAME].values():
        return ""
    cores = rows[0]["machine"]["cores"]
    fixed, of_an_epoch = {}, {}
    for data, (short, long) in EPOCHS.items():
        times = [medians[NAME][_name(data, epochs)] for epochs in (short, long)]
        key = data.data_set, data.batch_size
        of_an_epoch[key] = (times[1] - times[0]) / (long - short)
        fixed[key] = max(0.0, times[0] - short * of_an_epoch[key])
    dsprites = data_variants.data_set_bindings("dsprites")
    steps = dsprites["training_steps"] / dsprites["epochs"]
    of_an_epoch["dsprites", None] = cores * steps / next(iter(medians[DSPRITES_ROW].values()))
    for other in ("dsprites", "fashion_mnist"):
        fixed[other, None] = fixed["mnist", None]
    of_an_epoch["fashion_mnist", None] = of_an_epoch["mnist", None]

    lines = [f"| study | runs | estimated time on {cores} cores |", "|---|---:|---:|"]
    for study, plan in plans.STUDIES.items():
        seconds = 0.0
        for experiment, seeds in plan.items():
            key = experiment.data.data_set, experiment.data.batch_size
            epochs = 0 if experiment.model == "random_decoder" else experiment.data.epochs
            seconds += seeds * (fixed[key] + epochs * of_an_epoch[key])
        lines.append(f"| {study} | {sum(plan.values())} | {_duration(seconds / cores)} |")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
