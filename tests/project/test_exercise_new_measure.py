# SPDX-License-Identifier: Apache-2.0
"""A new measure is three files of a user's own, the function, the metric and the tracker, and no change elsewhere."""

import json
import sys

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train

from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.engine import tracker

MEASURE = '''
import numpy as np

def condition_number(jacobians):
    """Largest over smallest singular value at each point, [points]."""
    values = np.linalg.svd(np.asarray(jacobians, float), compute_uv=False)
    return values[:, 0] / values[:, -1]
'''
METRIC = """
import numpy as np
from condition_measure import condition_number
from vae_ortho_plugin.decoder.metrics import evaluated

@evaluated.metric("condition_number", "num_points")
def metric(of, shift: float = 0.0):
    with of.open_model() as model:
        means, _ = of.posterior(model)
        values = condition_number(np.concatenate(list(model.jacobians(means))))
    return evaluated.summary("condition_number", values + shift)
"""
TRACKER = """
import numpy as np
from condition_measure import condition_number
from vae_ortho_plugin.decoder.tracking.jacobians import track

track(
    "condition_number",
    lambda batches: np.mean(np.concatenate([condition_number(batch) for batch in batches])),
)
"""


@pytest.fixture
def own_files(tmp_path, monkeypatch):
    """A folder with the three files, on the import path."""
    files = {"condition_measure": MEASURE, "condition_metric": METRIC, "condition_tracker": TRACKER}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(tracker, "REGISTERED", dict(tracker.REGISTERED))
    gin.clear_config()
    yield tmp_path
    gin.clear_config()
    for name in files:
        sys.modules.pop(name, None)


def test_a_measure_of_ones_own_is_evaluated_and_tracked(own_files):
    (own_files / "train.gin").write_text(
        "import condition_tracker\ninclude 'beta_vae.gin'\n"
        "synth_linear.num_points = 1000\nmodel.training_steps = 30\nmodel.eval_steps = 1\n"
        "condition_number_while_training.every = 10\n"
    )
    (own_files / "metric.gin").write_text(
        "import condition_metric\nevaluation.evaluation_fn = @condition_number\n"
        "evaluation.random_seed = 0\ndataset.name = 'auto'\n"
        "condition_number.num_points = 50\ncondition_number.shift = 1\n"
    )
    model_dir, output = own_files / "model", own_files / "evaluated"
    train.train_with_gin(str(model_dir), gin_config_files=[str(own_files / "train.gin")])
    evaluate.evaluate_with_gin(
        str(model_dir), str(output), gin_config_files=[str(own_files / "metric.gin")]
    )

    trained = json.loads((model_dir / "results/json/train_results.json").read_text())
    tracked = trained["condition_number_while_training"]
    assert tracked["steps"] == [0, 10, 20, 30]
    metric = json.loads((output / "results/json/evaluation_results.json").read_text())
    with open_model(str(model_dir)) as model:
        (jacobian,) = next(model.jacobians(np.zeros((1, 2))))
    # The decoder is linear: its Jacobian is the same at every point.
    assert metric["condition_number"] == pytest.approx(np.linalg.cond(jacobian) + 1, rel=1e-4)
    assert tracked["condition_number"][-1] == pytest.approx(np.linalg.cond(jacobian), rel=1e-4)
