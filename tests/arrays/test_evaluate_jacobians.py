# SPDX-License-Identifier: Apache-2.0
"""evaluate: the measures of given Jacobians."""

import numpy as np
import pytest

from vae_ortho_plugin import distance_to_orthogonality, evaluate
from vae_ortho_plugin.arrays import given_arrays

RNG = np.random.default_rng(0)
LENGTHS = np.array([1.0, 2.0, 4.0])
ORTHOGONAL = np.linalg.qr(RNG.normal(size=(30, 8, 3)))[0] * LENGTHS
TURNED = (ORTHOGONAL @ np.linalg.qr(RNG.normal(size=(3, 3)))[0]).astype(np.float32)


def test_jacobians_add_dto_contrast_cosine_and_gap():
    means = RNG.normal(size=(100, 3)) * [1, 1, 0.01]
    sigma = np.broadcast_to(1 / LENGTHS, (30, 3))
    found = evaluate(means, jacobians=ORTHOGONAL, sigma=sigma)
    for metric, value in (
        ("dto", "dto"),
        ("ima_contrast", "ima_contrast"),
        ("ima_contrast", "mean_abs_cosine"),
        ("precision_gap", "precision_gap"),
        ("precision_gap", "precision_gap_sigma"),
    ):
        assert found[metric][value] == pytest.approx(0, abs=1e-9)
    assert found["dto"]["active_latents"] == [0, 1]
    assert found["dto"]["num_points"] == 30


def test_without_sigma_and_means_the_gap_has_the_part_of_the_columns_and_nothing_is_active():
    found = evaluate(None, jacobians=TURNED)
    expected = distance_to_orthogonality(TURNED)
    assert found["dto"]["dto"] == pytest.approx(expected.mean, abs=1e-9)
    contrast = found["ima_contrast"]["ima_contrast"]  # log(col / vol)
    gap = found["precision_gap"]["precision_gap_columns"]  # (2 / d) log(col / vol)
    assert contrast > 0.1 and gap == pytest.approx(2 / 3 * contrast, rel=1e-9)
    assert "precision_gap" not in found["precision_gap"]
    assert not any("active" in name for values in found.metrics.values() for name in values)


def test_many_jacobians_are_read_in_blocks(monkeypatch):
    whole = evaluate(None, jacobians=TURNED)
    monkeypatch.setattr(given_arrays, "_BLOCK_BYTES", 4 * TURNED[:1].nbytes)
    assert evaluate(None, jacobians=TURNED) == whole


def test_fewer_outputs_than_latents_have_no_dto_and_the_rest_is_computed():
    found = evaluate(None, jacobians=TURNED[:, :2])
    assert "at least as many outputs as latents" in found.errors["dto"]
    assert found["ima_contrast"]["ima_contrast"] is None
    assert found["ima_contrast"]["mean_abs_cosine"] > 0
