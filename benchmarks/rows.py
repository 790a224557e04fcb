# SPDX-License-Identifier: Apache-2.0
"""What is measured: the rows of the table, and what the growth figure and the study times need besides."""

import dataclasses
import itertools
from collections.abc import Callable

PLUGIN, TF114, JAX, TORCH, DISENT, LIMIT = COLUMNS = (
    "plugin",
    "dlib on TensorFlow 1.14",
    "JAX",
    "PyTorch",
    "disent, scikit-learn",
    "limit by count",
)
# Multiplications of a product that peers are timed with (peers/answers.py).
PRODUCT = 256 * 1200**2


@dataclasses.dataclass(frozen=True)
class Series:
    """One measurement of a row."""

    column: str  # of the table; of several series in one column, the best one counts
    peer: str  # file in peers/
    task: dict[str, object]  # what it is told to make ready
    label: str = ""  # which variant it is
    count: int | None = None  # of a request; None: as many as fill the seconds of a measurement
    # Where the peer's products are timed: multiplications of a step or point, from the data's facts.
    work: Callable[[dict], float] | None = None
    request: str = "run"  # or 'memory'


@dataclasses.dataclass(frozen=True)
class Row:
    """What is compared."""

    name: str  # on the command line
    title: str
    unit: str  # one that ends in "/s" is a rate, and more is better
    series: tuple[Series, ...]  # what is measured, in alternation
    data_set: str | None = None  # whose facts complete the tasks
    axis: str | None = None  # what the labels are, where the row is part of the growth figure


TITLES = {
    "synth_linear": "Synth. Lin.",
    "synth_nonlinear": "Synth. Non-Lin.",
    "mnist": "MNIST network",
    "dsprites": "dSprites fc network",
}
# About as many steps as JAX makes in a fifth of a second: the length of its scans.
_CHUNKS = {"synth_linear": 10_000, "synth_nonlinear": 1_000, "mnist": 50, "dsprites": 5}
# dSprites' decoder, after the latents.
_WIDTHS = (1200, 1200, 1200, 4096)


def _products(widths: list[int]) -> int:
    """Multiplications of dense layers with these widths for one point."""
    return sum(inputs * outputs for inputs, outputs in itertools.pairwise(widths))


def _limit(work: Callable[[dict], float]) -> tuple[Series, ...]:
    peers = {"plugin": "TensorFlow", "in_jax": "JAX", "in_torch": "PyTorch"}
    task = {"kind": "products"}
    return tuple(Series(LIMIT, peer, task, label, work=work) for peer, label in peers.items())


def _training(data_set: str, batch_size: int, linearized: float | None = None) -> Row:
    def work(facts: dict) -> float:
        network = facts["network"]
        encoder = [network["outputs"], *network["encoder"]]
        heads = 2 * encoder[-1] * network["latents"]
        decoder = _products([network["latents"], *network["decoder"], network["outputs"]])
        passes = 1 if linearized is None else 1 + network["latents"]
        # A pass forward, and two back but for the first layer's one by the data.
        first = network["outputs"] * (encoder + [network["latents"]])[1]
        return batch_size * (3 * (_products(encoder) + heads + passes * decoder) - first)

    task = {
        "kind": "train",
        "data_set": data_set,
        "batch_size": batch_size,
        "linearized": linearized,
        "chunk": max(1, _CHUNKS[data_set] * 64 // batch_size // (1 if linearized is None else 4)),
    }
    ahead, each, eager, compiled = (
        {**task, "variant": variant} for variant in ("ahead", "in each step", "eager", "compiled")
    )
    others = (Series(JAX, "in_jax", ahead, "draws ahead"),)
    if linearized is None:
        others += (
            Series(JAX, "in_jax", each, "draws in each step"),
            Series(TORCH, "in_torch", eager, "eager"),
            Series(TORCH, "in_torch", compiled, "compiled"),
            Series(TF114, "in_tf114", task),
            Series(DISENT, "in_disent", task),
        )
    model = "β-VAE" if linearized is None else "linearized_vae"
    name = f"train-{data_set.replace('_', '-')}{'' if linearized is None else '-linearized'}"
    return Row(
        f"{name}-{batch_size}",
        f"Training, {TITLES[data_set]}, {model}, batch {batch_size}",
        "steps/s",
        (Series(PLUGIN, "plugin", task), *others, *_limit(work)),
        data_set,
    )


def _dto(latents: int) -> Row:
    widths = (latents, *_WIDTHS)
    task = {"kind": "dto", "data_set": "dsprites", "latents": latents, "widths": widths}
    task["chunk"] = 256  # a batch
    return Row(
        f"dto-{latents}",
        f"DtO, dSprites fc decoder, {latents} latents",
        "points/s",
        (
            Series(PLUGIN, "plugin", task),
            Series(JAX, "in_jax", task),
            Series(TORCH, "in_torch", task),
            *_limit(lambda facts: (1 + latents) * _products(list(widths))),
        ),
    )


def _own_decoder(column: str, peer: str) -> Row:
    task = {"kind": "dto", "widths": (10, *_WIDTHS)}
    by_plugin = {**task, "by": "decoder_measures"}
    return Row(
        f"decoder-{column.lower()}",
        f"decoder_measures of a {column} decoder, dSprites fc, 10 latents",
        "points/s",
        (Series(PLUGIN, peer, by_plugin, count=4096), Series(column, peer, task, count=4096)),
    )


_MNIST_DTO = {"kind": "dto", "data_set": "mnist", "widths": (6, 500, 500, 784)}
_SCORE = {"points": 73_728, "latents": 10}
_METRIC = {"kind": "metric", "num_train": 400, "num_eval": 200}


# The runs from which the time of a study follows: a short one of each data variant and a longer one.
STUDY_RUNS = tuple(
    (name, epochs)
    for name, short, long in (
        ("synth_linear", 10, 300),
        ("synth_linear_batch_16", 10, 300),
        ("synth_nonlinear", 10, 100),
        ("synth_nonlinear_batch_16", 10, 100),
        ("mnist", 1, 3),
    )
    for epochs in (short, long)
)
_STUDY = {"kind": "study_runs", "runs": STUDY_RUNS}

TABLE = (
    _training("synth_linear", 16),
    _training("synth_linear", 64),
    _training("synth_nonlinear", 16),
    _training("synth_nonlinear", 64),
    _training("mnist", 64),
    _training("dsprites", 64),
    _training("mnist", 64, linearized=4.0),
    *map(_dto, (2, 5, 10, 20)),
    _own_decoder(JAX, "in_jax"),
    _own_decoder(TORCH, "in_torch"),
    Row(
        "score",
        "Disentanglement score, 73,728 points, 10 latents, 5 factors",
        "s",
        (
            Series(PLUGIN, "plugin", {"kind": "score", **_SCORE}, count=1),
            Series(DISENT, "in_sklearn", {"kind": "score", **_SCORE}, "scikit-learn", count=1),
            Series(LIMIT, "in_sklearn", {"kind": "sorting", **_SCORE}, "sorting", count=1),
        ),
    ),
    Row(
        "metric",
        "dlib's BetaVAE metric, dSprites fc encoder, 400 and 200 samples of 64 pairs",
        "s",
        (Series(PLUGIN, "plugin", _METRIC, count=1), Series(TF114, "in_tf114", _METRIC, count=1)),
        "dsprites",
    ),
    Row(
        "start",
        "Start of dlib_train --helpshort",
        "s",
        (
            Series(PLUGIN, "plugin", {"kind": "start"}, count=1),
            Series(TF114, "in_tf114", {"kind": "start"}, count=1),
            Series(LIMIT, "plugin", {"kind": "imports"}, "imports", count=1),
        ),
    ),
    Row(
        "study-run",
        "A run of the study by a warm worker, Synth. Lin., 10 epochs",
        "s",
        (Series(PLUGIN, "plugin", _STUDY, count=0),),
        "synth_linear",
    ),
    Row(
        "memory",
        "Peak memory of DtO of 70,000 points beyond the loaded model, MNIST network",
        "MiB",
        tuple(
            Series(column, peer, _MNIST_DTO, count=70_000, request="memory")
            for column, peer in ((PLUGIN, "plugin"), (JAX, "in_jax"), (TORCH, "in_torch"))
        ),
        "mnist",
    ),
)


def _growth(name: str, title: str, unit: str, axis: str, series: dict[int, Series]) -> Row:
    labelled = (dataclasses.replace(one, label=str(size)) for size, one in series.items())
    return Row(f"growth-{name}", title, unit, tuple(labelled), "mnist", axis)


def _mnist_training(batch_size: int = 64, bindings: tuple[str, ...] = ()) -> Series:
    task = {"kind": "train", "data_set": "mnist", "batch_size": batch_size, "bindings": bindings}
    return Series(PLUGIN, "plugin", task)


def _width(width: int) -> tuple[str, ...]:
    return f"mlp_encoder.layers = [{width}]", f"mlp_decoder.layers = [{width}, {width}]"


GROWTH = (
    _growth(
        "batch",
        "Training, MNIST network",
        "steps/s",
        "batch size",
        {size: _mnist_training(size) for size in (16, 64, 256, 1024)},
    ),
    _growth(
        "width",
        "Training, MNIST network, batch 64",
        "steps/s",
        "units in each of 3 hidden layers",
        {width: _mnist_training(bindings=_width(width)) for width in (100, 200, 400, 800, 1600)},
    ),
    _growth(
        "points",
        "DtO, MNIST network",
        "s",
        "points",
        {n: Series(PLUGIN, "plugin", _MNIST_DTO, count=n) for n in (100, 1000, 10_000, 70_000)},
    ),
    _growth(
        "latents",
        "DtO of 256 points, dSprites fc decoder",
        "s",
        "latents",
        {n: dataclasses.replace(_dto(n).series[0], count=256) for n in (2, 5, 10, 20)},
    ),
    _growth(
        "runs",
        "Report of a study",
        "s",
        "finished runs",
        {n: Series(PLUGIN, "plugin", {"kind": "report"}, count=n) for n in (100, 1000, 5000)},
    ),
)

STUDY = Row(
    "study-time",
    "Runs of the study by a warm worker",
    "s",
    tuple(
        Series(PLUGIN, "plugin", _STUDY, f"{name}, {epochs}", count=number)
        for number, (name, epochs) in enumerate(STUDY_RUNS)
    ),
    "mnist",
)

GPU = tuple(
    dataclasses.replace(
        row, series=tuple(s for s in row.series if s.column in (PLUGIN, JAX, TORCH))
    )
    for row in (
        _training("mnist", 64),
        _training("dsprites", 64),
        _training("dsprites", 1024),
        _dto(5),
        _training("mnist", 1024),
        _dto(10),
        _training("synth_nonlinear", 64),
        _training("synth_nonlinear", 1024),
    )
)
