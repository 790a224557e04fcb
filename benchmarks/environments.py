# SPDX-License-Identifier: Apache-2.0
"""Trains the same gin configuration by dlib_train here and by disentanglement_lib of 2020.

The environment of 2020 is a virtual environment of Python 3.7 that holds

    tensorflow==1.14 disentanglement-lib==1.5 gin-config==0.3.0 tensorflow-hub==0.7.0
    "protobuf<3.21" "h5py<3" "numpy<1.19"

The benchmarks take the path of its Python as --python-2020 and run themselves in this project's own.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("TensorFlow 1.14", "plugin")


def argument_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--python-2020", required=True, help="the Python of an environment with TensorFlow 1.14"
    )
    return parser


def save_synth_linear(path: Path) -> None:
    """Writes the training points of Synth. Lin., which TensorFlow 1.14's side reads, to `path`."""
    code = (
        "import sys, numpy\n"
        "from vae_ortho_plugin.data.synthetic import SynthLinear\n"
        "numpy.save(sys.argv[1], SynthLinear().split('train')[0])"
    )
    _run([sys.executable, "-c", code, str(path)], path.with_suffix(".log"))


def train(
    name: str, python_2020: str, model_dir: Path, points: Path, gin_file: Path, bindings: list[str]
) -> dict[str, float]:
    """Trains one model and returns what dlib writes to train_results.json.

    Args:
      name: one of NAMES.
      python_2020: Python of the environment with TensorFlow 1.14.
      model_dir: directory to make.
      points: file of `save_synth_linear`.
      gin_file: configuration; `bindings` come after it.
    """
    if name == "plugin":
        command = [sys.executable, str(Path(sys.executable).with_name("dlib_train"))]
        command += [f"--model_dir={model_dir}", f"--gin_config={gin_file}"]
        command += [f"--gin_bindings={binding}" for binding in bindings]
    else:
        script = ROOT / "benchmarks" / "train_in_2020.py"
        command = [python_2020, str(script), str(model_dir), str(points), str(gin_file), *bindings]
    _run(command, model_dir.with_suffix(".log"))
    return json.loads((model_dir / "results" / "json" / "train_results.json").read_text())


def standard_error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _run(command: list[str], log: Path) -> None:
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-20:])
        sys.exit(f"{tail}\nerror: this command failed: {' '.join(command)}")
