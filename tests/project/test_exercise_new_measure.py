# SPDX-License-Identifier: Apache-2.0
"""A new measure is three files of a user's own, the function, the metric and the tracker, and no change elsewhere."""

import json
import sys
from pathlib import Path

import gin
import numpy as np
import pytest
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
        "synth_linear.num_points = 200\nmodel.training_steps = 20\nmodel.eval_steps = 1\n"
        "condition_number_while_training.every = 10\n"
    )
    (own_files / "metric.gin").write_text(
        "import condition_metric\nevaluation.evaluation_fn = @condition_number\n"
        "evaluation.random_seed = 0\ndataset.name = 'auto'\n"
        "condition_number.num_points = 20\ncondition_number.shift = 1\n"
    )
    model, output = str(own_files / "model"), str(own_files / "evaluated")
    train.train_with_gin(model, False, [str(own_files / "train.gin")])
    evaluate.evaluate_with_gin(model, output, False, [str(own_files / "metric.gin")])

    trained = json.loads(Path(model, "results/json/train_results.json").read_text())
    tracked = trained["condition_number_while_training"]
    assert tracked["steps"] == [0, 10, 20]
    metric = json.loads(Path(output, "results/json/evaluation_results.json").read_text())
    with open_model(model) as opened:
        (jacobian,) = next(opened.jacobians(np.zeros((1, 2))))
    # The decoder is linear: its Jacobian is the same at every point.
    assert metric["condition_number"] == pytest.approx(np.linalg.cond(jacobian) + 1, rel=1e-4)
    assert tracked["condition_number"][-1] == pytest.approx(np.linalg.cond(jacobian), rel=1e-4)
