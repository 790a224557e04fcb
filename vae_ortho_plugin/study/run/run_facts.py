# SPDX-License-Identifier: Apache-2.0
"""The contents of run.json: what the report needs besides dlib's own results."""

import sys
from importlib.metadata import version
from pathlib import Path

import vae_ortho_plugin
from vae_ortho_plugin.files.gin_files import read_bindings
from vae_ortho_plugin.study.plan.layout import RunFiles

MAX_CURVE_POINTS = 500


def facts_of(files: RunFiles, model_num: int, epochs: int | None, seconds: float) -> dict:
    """The contents of a run's run.json; `epochs` is None for the study's length."""
    return {
        "model_num": model_num,
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "versions": _versions(),
        "data": data_facts(files.training_gin),
        "curves": _curves(files.checkpoints),
    }


def _versions() -> dict[str, str]:
    names = ("tensorflow", "tensorflow-probability", "disentanglement-lib", "numpy")
    return {
        "python": sys.version.split()[0],
        "vae_ortho_plugin": vae_ortho_plugin.__version__,
        **{name: version(name) for name in names},
    }


def data_facts(training_gin: Path) -> dict:
    """What a reader must know of the data of a training run's configuration: their origin, their random weights."""
    from vae_ortho_plugin.data.files.read_files import origin
    from vae_ortho_plugin.data.synthetic import random_layers

    bindings = read_bindings(training_gin)
    name = bindings["dataset.name"]
    facts = {"name": name}
    if origin(name):
        facts["origin"] = origin(name)
    if name == "synth_nonlinear":
        facts["weight_seed"] = bindings["synth_nonlinear.weight_seed"]
        for name, default in (("weight_law", "normal"), ("tanh", "all")):
            facts[name] = bindings.get(f"synth_nonlinear.{name}", default)
        layers = random_layers(facts["weight_seed"], law=facts["weight_law"])
        facts["weights"] = [{"kernel": k.tolist(), "bias": b.tolist()} for k, b in layers]
    return facts


def _curves(checkpoints: Path) -> dict[str, list[list[float]]]:
    """Training curves {tag: [steps, values]} from the TensorBoard events of a directory.

    Each curve is divided into at most MAX_CURVE_POINTS stretches of training. A value is the mean
    over a stretch, its step the stretch's last.
    """
    import numpy as np
    import tensorflow.compat.v1 as tf

    points: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(checkpoints.glob("events.out.tfevents.*")):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, []).append((event.step, value.simple_value))
    result = {}
    for tag, pairs in points.items():
        stretches = np.array_split(np.array(pairs), min(len(pairs), MAX_CURVE_POINTS))
        steps = [int(stretch[-1, 0]) for stretch in stretches]
        result[tag] = [steps, [float(stretch[:, 1].mean()) for stretch in stretches]]
    return result
