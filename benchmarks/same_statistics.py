# SPDX-License-Identifier: Apache-2.0
"""Does this plugin train to the same statistics as dlib 1.5 on TensorFlow 1.14?

Trains the same beta-VAEs with several seeds in both and prints, as a Markdown table, the mean final loss, KL
term and reconstruction loss with their standard errors over seeds, and the difference in units of its
standard error. Exits with 1 if a difference exceeds two of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import environment_tf114
from benchmarks.machine import ROOT

NAMES = ("TensorFlow 1.14", "plugin")
GIN_FILES = {
    "dummy_data": ROOT / "benchmarks" / "dummy_data.gin",
    "Synth. Lin.": ROOT / "gin_configs" / "beta_vae.gin",
}
STEPS = {"dummy_data": 2_000, "Synth. Lin.": 20_000}
BATCH_SIZE = 64  # of both
QUANTITIES = ("loss", "kl_loss", "reconstruction_loss")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.same_statistics",
        description=__doc__.split("\n")[0],
        epilog="benchmarks/environment_tf114.py says what the environment with TensorFlow 1.14 holds.",
    )
    parser.add_argument(
        "--python-tf114", required=True, help="the Python of an environment with TensorFlow 1.14"
    )
    parser.add_argument("--seeds", type=int, default=5, help="models of each kind, at least 2")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    largest = 0.0
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        points = Path(scratch, "points.npy")
        _save_synth_linear(points)
        futures = {
            (data, name, seed): pool.submit(
                _train,
                name,
                arguments.python_tf114,
                Path(scratch, f"{data}-{name}-{seed}".replace(" ", "-")),
                points,
                gin_file,
                [
                    f"training_steps = {STEPS[data]}",
                    f"model.batch_size = {BATCH_SIZE}",
                    f"model.random_seed = {seed}",
                    "model.eval_steps = 1000",
                ],
            )
            for data, gin_file in GIN_FILES.items()
            for seed in seeds
            for name in NAMES
        }
        results = {key: future.result() for key, future in futures.items()}
    print(f"| data, steps | quantity | {' | '.join(NAMES)} | difference / its standard error |")
    print("|---|---|---|---|---|")
    for data in GIN_FILES:
        for quantity in QUANTITIES:
            values = [
                np.array([results[data, name, seed][quantity] for seed in seeds]) for name in NAMES
            ]
            errors = [_standard_error(value) for value in values]
            score = float((values[1].mean() - values[0].mean()) / np.hypot(*errors))
            largest = max(largest, abs(score))
            means = " | ".join(
                f"{value.mean():.5g} ± {error:.2g}"
                for value, error in zip(values, errors, strict=True)
            )
            print(f"| {data}, {STEPS[data]:,} | {quantity} | {means} | {score:+.2f} |")
    raise SystemExit(largest > 2)


def _save_synth_linear(path: Path) -> None:
    """Writes the training points, which TensorFlow 1.14's side reads."""
    code = (
        "import sys, numpy\n"
        "from vae_ortho_plugin.data.synthetic import SynthLinear\n"
        "numpy.save(sys.argv[1], SynthLinear().split('train')[0])"
    )
    _run([sys.executable, "-c", code, str(path)], path.with_suffix(".log"))


def _train(
    name: str, python_tf114: str, model_dir: Path, points: Path, gin_file: Path, bindings: list[str]
) -> dict[str, float]:
    """Trains one model and returns what dlib writes to train_results.json.

    Args:
        name: one of NAMES.
        python_tf114: Python of the environment with TensorFlow 1.14.
        model_dir: directory to make.
        points: file of `_save_synth_linear`.
        gin_file: configuration; `bindings` come after it.
    """
    if name == "plugin":
        command = [sys.executable, str(Path(sys.executable).with_name("dlib_train"))]
    else:
        command = [
            python_tf114,
            str(environment_tf114.TRAIN),
            "--points",
            "synth_linear",
            str(points),
        ]
    command += [f"--model_dir={model_dir}", f"--gin_config={gin_file}"]
    command += [f"--gin_bindings={binding}" for binding in bindings]
    _run(command, model_dir.with_suffix(".log"))
    return json.loads((model_dir / "results" / "json" / "train_results.json").read_text())


def _standard_error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _run(command: list[str], log: Path) -> None:
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-20:])
        sys.exit(f"{tail}\nerror: this command failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
