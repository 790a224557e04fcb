# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that train; importing them does not start TensorFlow."""

import gin
import pytest


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture
def session_calls(monkeypatch):
    """Steps of each session call of a training run."""
    from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph

    calls = []
    original = TrainingGraph.call_session

    def run(self, limit, last_step):
        result = original(self, limit, last_step)
        calls.append(int(result[0]))
        return result

    monkeypatch.setattr(TrainingGraph, "call_session", run)
    return calls
