# SPDX-License-Identifier: Apache-2.0
"""evaluate without TensorFlow: where it is not imported, and where it is not installed."""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

EVERY_METRIC = """
import json, sys
import numpy as np
from vae_ortho_plugin import evaluate
from vae_ortho_plugin.arrays.names import METRICS

r = np.random.default_rng(0)
factors = np.array([[a, b, c] for a in range(4) for b in range(3) for c in range(2)] * 20)
means = np.tanh(factors @ [[1, 0.4, 0], [0.2, 1, 0.3], [0.1, 0, 1]] / 2) + 0.1 * r.normal(size=(480, 3))
short = ["beta_vae_sklearn.num_train = 300", "beta_vae_sklearn.num_eval = 200", "factor_vae_score.num_train = 300",
    "factor_vae_score.num_eval = 200", "fairness.num_test_points_per_class = 20",
    "strong_downstream_task.n_experiment = 1"]
result = evaluate(means, factors, sigma=np.full((9, 3), 0.5), jacobians=r.normal(size=(9, 5, 3)),
    factor_kinds=["categorical", "categorical", "continuous"], metrics=METRICS, gin_bindings=short)
assert "tensorflow" not in sys.modules
print(json.dumps(result.as_dict()))
"""

# In one process: metrics of arrays, then dlib with TensorFlow, then metrics of arrays again.
BEFORE_DLIB = """
import sys
import gin
import numpy as np
from vae_ortho_plugin import evaluate

r = np.random.default_rng(0)
factors = r.integers(3, size=(100, 2))
call = lambda: evaluate(factors, factors, metrics=["mig", "sap"])
first = call()
assert not {"tensorflow", "matplotlib", "gin.tf"} & set(sys.modules)
from disentanglement_lib.evaluation.metrics import unified_scores
from disentanglement_lib.evaluation import evaluate as step
import gin.tf
assert "tensorflow" in sys.modules and gin.tf.GinConfigSaverHook
assert "disentanglement_lib.utils.results" in sys.modules
assert step.results.save_dict is unified_scores.results.save_dict
assert unified_scores.visualize_scores.heat_square.__module__.startswith("disentanglement_lib")
from vae_ortho_plugin.decoder.trained_model import open_model
assert call() == first
"""


def run(python, *words, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, *words], capture_output=True, text=True, check=False, env={**kept, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_may_evaluate_arrays_and_use_tensorflow_afterwards():
    run(sys.executable, "-c", BEFORE_DLIB, PYTHONPATH=str(ROOT))


@pytest.mark.long
def test_every_metric_has_the_same_value_where_tensorflow_is_not_installed(tmp_path):
    sources = tmp_path / "sources"  # a build writes into them
    shutil.copytree(ROOT / "vae_ortho_plugin", sources / "vae_ortho_plugin")
    for name in ("setup.py", "pyproject.toml", "vae_ortho_plugin.pth", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "light"], check=True)
    python = tmp_path / "light" / "bin" / "python"
    page = (ROOT / "docs" / "own_model.md").read_text()
    (commands,) = re.findall(
        r"^```\n((?:pip .*\n)+pip .*disentanglement-lib.*\n)```", page, re.MULTILINE
    )
    same = tmp_path / "same.txt"
    packages = ("numpy", "scipy", "scikit-learn", "threadpoolctl")
    same.write_text("".join(f"{n}=={importlib.metadata.version(n)}\n" for n in packages))
    for command in commands.splitlines():
        words = [str(sources) if word == "." else word for word in shlex.split(command)]
        run(python, "-m", *words, PIP_CONSTRAINT=str(same))
    found = json.loads(run(python, "-c", EVERY_METRIC))
    assert json.loads(run(sys.executable, "-c", EVERY_METRIC, PYTHONPATH=str(ROOT))) == found
    assert len(found["metrics"]) == 19 and "errors" not in found
    assert found["points_of"]["fairness"] == "points of each combination of classes"
    shown = run(python, "-m", "pip", "list")
    assert "tensorflow" not in shown and "pandas" not in shown
