# SPDX-License-Identifier: Apache-2.0
"""ima_contrast and self_consistency as metrics of dlib, and what dto says of singular values."""

import numpy as np
import pytest
from metrics_support import M1, Gaussian, export_linear_model, run

# isort: split
from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics.of_jacobians import dto, ima_contrast, self_consistency
from vae_ortho_plugin.errors import InputError

ENCODER = np.eye(2, 3)
IMAGES = Gaussian().split("test")[0].reshape(-1, 3)
BETA = 0.5
BEST = np.diag(1 / np.sqrt(1 + 2 / BETA * (M1**2).sum(axis=0)))


def test_the_metric_of_m1_is_known(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER, M1, np.eye(2))
    result = run(ima_contrast, directory, beta=0.5)
    assert result["ima_contrast"] == pytest.approx(np.log(150 / 134) / 2, rel=1e-5)
    assert result["ima_contrast_std"] == pytest.approx(0, abs=1e-6)
    assert result["mean_abs_cosine"] == pytest.approx(4 / np.sqrt(150), rel=1e-5)
    expected = measures.regularized_ima_contrast(M1[None], 0.5).mean
    assert result["ima_contrast_regularized"] == pytest.approx(expected, rel=1e-5)
    # Columns that are picked lie in another order in memory: 4e-15 in the precision gap, 0 seen here.
    for name in ("ima_contrast", "mean_abs_cosine"):
        assert result[f"{name}_active"] == pytest.approx(result[name], rel=1e-12)
    assert (result["num_points"], result["split"], result["output"]) == (100, "test", "image")
    with pytest.raises(InputError, match="beta must be positive"):
        run(ima_contrast, directory, beta=0.0)


@pytest.mark.parametrize("loss", ["squared_error", "bernoulli_loss"])
def test_the_regularized_contrast_is_in_the_inner_product_of_the_loss(tmp_path, loss):
    directory = export_linear_model(tmp_path, ENCODER / 10, M1, np.eye(2), "logits", loss)
    result = run(ima_contrast, directory, beta=0.5)
    raw = IMAGES @ ENCODER.T / 10 @ M1.T
    slopes = 1 / (2 + np.exp(raw) + np.exp(-raw))
    h = slopes if loss == "bernoulli_loss" else 2 * slopes**2
    columns = np.sqrt(h / 2)[:, :, None] * M1
    for name, expected in (
        ("ima_contrast_of_loss", measures.ima_contrast(columns)),
        ("ima_contrast_regularized", measures.regularized_ima_contrast(columns, 0.5)),
        ("ima_contrast", measures.ima_contrast(slopes[:, :, None] * M1)),
    ):
        assert result[name] == pytest.approx(expected.mean, rel=1e-4)
    assert result["loss_note"] is None


@pytest.mark.parametrize(
    "loss, output, note",
    [
        ("mine.l2_loss", "image", "the curvature of the loss mine.l2_loss"),
        ("bernoulli_loss", "raw", "take output = 'image'"),
    ],
)
def test_where_the_losss_curvature_is_unknown_its_contrasts_are_none(tmp_path, loss, output, note):
    directory = export_linear_model(tmp_path, ENCODER / 10, M1, np.eye(2), "logits", loss)
    result = run(ima_contrast, directory, beta=0.5, output=output)
    assert result["ima_contrast"] > 0
    assert result["ima_contrast_of_loss"] is result["ima_contrast_regularized"] is None
    assert note in result["loss_note"]


def test_where_it_is_infinite_or_has_no_latents_the_metric_is_none(tmp_path):
    dependent = export_linear_model(tmp_path / "0", ENCODER, M1[:, [0, 0]], np.eye(2))
    result = run(ima_contrast, dependent, beta=1.0)
    assert result["ima_contrast"] is None and result["ima_contrast_regularized"] > 1
    assert result["mean_abs_cosine"] == pytest.approx(1)
    passive = export_linear_model(tmp_path / "1", ENCODER * [[1], [0.01]], M1, np.eye(2))
    result = run(ima_contrast, passive)
    assert result["active_latents"] == [0] and result["ima_contrast_active"] == 0
    assert result["mean_abs_cosine_active"] is None
    result = run(dto, passive)
    assert result["singular_value_ratio"] > 1 and result["dto_active"] == 0
    assert result["singular_value_ratio_active"] is result["nearly_equal_share_active"] is None


@pytest.mark.parametrize("ratio, share", [(1.04, 1), (1.06, 0)])
def test_the_metric_dto_says_how_far_singular_values_are_from_equal(tmp_path, ratio, share):
    decoder = np.eye(3, 2) * [ratio, 1]
    result = run(dto, export_linear_model(tmp_path, ENCODER, decoder, np.eye(2)))
    assert result["singular_value_ratio"] == pytest.approx(ratio, rel=1e-6)
    assert result["nearly_equal_share"] == share
    assert result["singular_value_ratio_active"] == pytest.approx(ratio, rel=1e-6)


def test_an_encoder_that_inverts_the_decoder_with_the_best_noise_is_consistent(tmp_path):
    model = export_linear_model(tmp_path, np.linalg.pinv(M1) * 10, M1 / 10, BEST)
    found = run(self_consistency, model, beta=BETA / 100)
    assert found["self_consistency"] == pytest.approx(1, rel=1e-5)
    assert found["self_consistency_active"] == pytest.approx(1, rel=1e-5)
    assert found["inversion_error"] == pytest.approx(0, abs=1e-8)
    assert (found["num_points"], found["num_active_latents"]) == (100, 2)


def test_the_ratio_and_the_error_of_another_encoder_are_known(tmp_path):
    encoder = np.eye(2, 3) * 0.1
    model = export_linear_model(tmp_path, encoder, M1, BEST * [3, 1])
    found = run(self_consistency, model, beta=BETA)
    assert found["self_consistency"] == pytest.approx((9 + 1) / 2, rel=1e-5)
    assert (found["self_consistency_active"], found["active_latents"]) == (None, [])
    means = IMAGES @ encoder.T
    errors = ((means @ M1.T @ encoder.T - means) ** 2).sum(axis=1)
    assert found["inversion_error"] == pytest.approx(errors.mean(), rel=1e-4)


def test_the_noise_of_a_bernoulli_model_is_compared_by_its_curvature(tmp_path):
    encoder = np.eye(2, 3) * 0.1
    model = export_linear_model(tmp_path, encoder, M1, np.eye(2), "logits", "bernoulli_loss")
    p = 1 / (1 + np.exp(-IMAGES @ encoder.T @ M1.T))
    # The Hessian of the cross-entropy by the latents is M1' diag(p (1 - p)) M1.
    ratios = 1 + (p * (1 - p)) @ M1**2 / BETA
    found = run(self_consistency, model, beta=BETA)["self_consistency"]
    assert found == pytest.approx(ratios.mean(), rel=1e-4)


@pytest.mark.parametrize("loss, beta", [("mine.l2_loss", BETA), ("squared_error", None)])
def test_without_beta_or_a_known_curvature_only_the_inversion_is_known(tmp_path, loss, beta):
    model = export_linear_model(tmp_path, np.eye(2, 3), M1, BEST, "linear", loss)
    found = run(self_consistency, model, beta=beta)
    assert found["self_consistency"] is found["self_consistency_active"] is None
    assert found["inversion_error"] > 0 and found["beta"] == beta
    assert (found["loss_note"] is None) == (loss == "squared_error")
    assert run(ima_contrast, model, beta=beta)["ima_contrast_regularized"] is None
