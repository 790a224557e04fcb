# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_evaluate: the measures of Jacobians in a file."""

import numpy as np
import pytest
from array_support import files  # noqa: F401

from vae_ortho_plugin import distance_to_orthogonality


def rotated_jacobians(points=30):
    rng = np.random.default_rng(0)
    orthogonal = np.linalg.qr(rng.normal(size=(points, 8, 3)))[0] * [1.0, 2.0, 4.0]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return orthogonal, orthogonal @ turn


def test_jacobians_add_dto_contrast_cosine_and_gap(files):
    orthogonal, turned = rotated_jacobians()
    latents = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1, 0.01]
    sigma = np.broadcast_to(1 / np.array([1.0, 2.0, 4.0]), (30, 3))
    files.save(z=latents, J=orthogonal, turned=turned.astype(np.float32), sigma=sigma)
    words = ["--sigma", files.path("sigma"), "--jacobians"]
    found = files.metrics(*words, files.path("J"), factors=None)
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
    found = files.metrics(*words, files.path("turned"), factors=None)
    expected = distance_to_orthogonality(turned.astype(np.float32))
    assert found["dto"]["dto"] == pytest.approx(expected.mean, abs=1e-9)
    assert found["ima_contrast"]["ima_contrast"] > 0.1
    assert found["precision_gap"]["precision_gap_columns"] > 0.1


def test_without_sigma_the_gap_has_the_part_of_the_columns_alone(files):
    _, turned = rotated_jacobians()
    files.save(J=turned)
    found = files.metrics("--jacobians", files.path("J"), latents=None, factors=None)
    gap = found["precision_gap"]["precision_gap_columns"]
    # (2 / d) log(col / vol), and the contrast is log(col / vol).
    assert gap == pytest.approx(2 / 3 * found["ima_contrast"]["ima_contrast"], rel=1e-9)
    assert "precision_gap" not in found["precision_gap"]
    assert not any("active" in name for values in found.values() for name in values)


def test_a_large_file_of_jacobians_is_read_in_blocks(files, monkeypatch):
    _, turned = rotated_jacobians()
    files.save(J=turned)
    words = ["--jacobians", files.path("J")]
    whole = files.metrics(*words, latents=None, factors=None)
    monkeypatch.setattr(
        "vae_ortho_plugin.arrays.jacobian_measures._BLOCK_BYTES", 4 * turned[:1].nbytes
    )
    assert files.metrics(*words, latents=None, factors=None) == whole


def test_fewer_outputs_than_latents_have_no_dto_and_the_rest_is_computed(files):
    files.save(J=np.random.default_rng(0).normal(size=(5, 2, 3)))
    status, result, _ = files.run("--jacobians", files.path("J"), latents=None, factors=None)
    assert status == 1
    assert "at least as many outputs as latents" in result["errors"]["dto"]
    assert result["metrics"]["ima_contrast"]["ima_contrast"] is None
    assert result["metrics"]["ima_contrast"]["mean_abs_cosine"] > 0
