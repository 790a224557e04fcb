# SPDX-License-Identifier: Apache-2.0
"""The metrics of a model's Jacobians, noise and directions, on linear models that have known ones."""

import numpy as np
import pytest
from metrics_support import M1, M2, Gaussian, export_linear_model, run

# isort: split
from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics.loss_decomposition import loss_decomposition
from vae_ortho_plugin.decoder.metrics.of_jacobians import (
    dto,
    ima_contrast,
    precision_gap,
    self_consistency,
)
from vae_ortho_plugin.decoder.metrics.pca_alignment import pca_alignment
from vae_ortho_plugin.decoder.trained_model import open_model
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
    encoder = ENCODER * 0.1
    model = export_linear_model(tmp_path, encoder, M1, BEST * [3, 1])
    found = run(self_consistency, model, beta=BETA)
    assert found["self_consistency"] == pytest.approx((9 + 1) / 2, rel=1e-5)
    assert (found["self_consistency_active"], found["active_latents"]) == (None, [])
    means = IMAGES @ encoder.T
    errors = ((means @ M1.T @ encoder.T - means) ** 2).sum(axis=1)
    assert found["inversion_error"] == pytest.approx(errors.mean(), rel=1e-4)


def test_the_noise_of_a_bernoulli_model_is_compared_by_its_curvature(tmp_path):
    encoder = ENCODER * 0.1
    model = export_linear_model(tmp_path, encoder, M1, np.eye(2), "logits", "bernoulli_loss")
    p = 1 / (1 + np.exp(-IMAGES @ encoder.T @ M1.T))
    # The Hessian of the cross-entropy by the latents is M1' diag(p (1 - p)) M1.
    ratios = 1 + (p * (1 - p)) @ M1**2 / BETA
    found = run(self_consistency, model, beta=BETA)["self_consistency"]
    assert found == pytest.approx(ratios.mean(), rel=1e-4)


@pytest.mark.parametrize("loss, beta", [("mine.l2_loss", BETA), ("squared_error", None)])
def test_without_beta_or_a_known_curvature_only_the_inversion_is_known(tmp_path, loss, beta):
    model = export_linear_model(tmp_path, ENCODER, M1, BEST, "linear", loss)
    found = run(self_consistency, model, beta=beta)
    assert found["self_consistency"] is found["self_consistency_active"] is None
    assert found["inversion_error"] > 0 and found["beta"] == beta
    assert (found["loss_note"] is None) == (loss == "squared_error")
    assert run(ima_contrast, model, beta=beta)["ima_contrast_regularized"] is None


def test_precision_gap_of_m1_and_m2_is_known(tmp_path):
    sigma = np.array([0.2, 0.5])
    for name, decoder in (("m1", M1), ("m2", M2)):
        directory = export_linear_model(tmp_path / name, ENCODER, decoder, np.diag(sigma))
        result = run(precision_gap, directory)
        costs = sigma**2 * np.sum(decoder**2, axis=0)
        columns = np.log(np.prod(np.linalg.norm(decoder, axis=0)) / np.sqrt(134))
        assert result["precision_gap_columns"] == pytest.approx(columns, rel=1e-5)
        of_sigma = np.log(costs.mean()) - np.log(costs).mean()
        assert result["precision_gap_sigma"] == pytest.approx(of_sigma, rel=1e-5)
        assert result["precision_gap"] == pytest.approx(of_sigma + columns, rel=1e-5)
        assert result["precision_gap_std"] == pytest.approx(0, abs=1e-6)
        assert (result["num_points"], result["split"], result["output"]) == (100, "test", "image")
        # Columns that are picked lie in another order in memory: up to 4e-15 in the gap.
        assert result["precision_gap_active"] == pytest.approx(result["precision_gap"], rel=1e-12)


def test_precision_gap_among_active_latents_is_that_of_their_columns(tmp_path):
    encoder = np.diag([1, 1, 0.1])  # the third latent's standard deviation is 0.1
    decoder = np.column_stack([M1, [1.0, 2, 3]])
    directory = export_linear_model(tmp_path, encoder, decoder, np.diag([0.2, 0.5, 1]))
    two = export_linear_model(tmp_path / "2", encoder[:2], M1, np.diag([0.2, 0.5]))
    result, expected = run(precision_gap, directory), run(precision_gap, two)
    assert result["active_latents"] == [0, 1]
    for part in ("", "_sigma", "_columns"):
        found = result[f"precision_gap{part}_active"]
        assert found == pytest.approx(expected[f"precision_gap{part}"], rel=1e-5)
    assert result["precision_gap"] > expected["precision_gap"] + 0.1
    many = export_linear_model(tmp_path / "4", np.eye(4, 3), np.column_stack([M1, M2]), np.eye(4))
    result = run(precision_gap, many)  # more latents than outputs
    assert (result["precision_gap"], result["precision_gap_columns_std"]) == (None, None)
    assert result["precision_gap_sigma"] is not None
    assert result["active_latents"] == [0, 1, 2] and result["precision_gap_active"] > 0


def test_loss_decomposition_of_a_linear_model_is_known(tmp_path):
    sigma = np.array([0.2, 0.5])
    directory = export_linear_model(tmp_path, ENCODER, M1, np.diag(sigma))
    result = run(loss_decomposition, directory)
    deterministic = np.sum((IMAGES @ ENCODER.T @ M1.T - IMAGES) ** 2, axis=1)
    linearized = 50 * 0.2**2 + 3 * 0.5**2
    assert result["deterministic_loss"] == pytest.approx(deterministic.mean(), rel=1e-5)
    assert result["deterministic_loss_std"] == pytest.approx(deterministic.std(), rel=1e-5)
    assert result["linearized_loss"] == pytest.approx(linearized, rel=1e-5)
    assert result["linearized_loss_std"] == pytest.approx(0, abs=1e-5)
    for error in ("linearization_error", "decomposition_error"):
        assert abs(result[error]) < 4 * result[f"{error}_stderr"]
    total, stochastic = result["total_loss"], result["stochastic_loss"]
    assert stochastic - result["linearized_loss"] == pytest.approx(result["linearization_error"])
    error = total - result["deterministic_loss"] - stochastic
    assert result["decomposition_error"] == pytest.approx(error)
    settings = result["loss"], result["num_points"], result["num_samples"]
    assert settings == ("squared_error", 100, 10)
    assert run(loss_decomposition, directory) == result  # of the same seed
    assert run(loss_decomposition, directory, num_samples=9)["total_loss"] != result["total_loss"]


def test_loss_decomposition_samples_from_a_full_covariance(tmp_path):
    scale = np.array([[1.0, 0.0], [-1.0, 0.1]])  # both latents vary, their sum hardly
    decoder = np.array([[1.0, 1], [0, 0], [0, 0]])
    directory = export_linear_model(tmp_path, ENCODER, decoder, scale)
    result = run(loss_decomposition, directory)
    assert result["linearized_loss"] == pytest.approx(0.01, rel=1e-4)
    assert result["stochastic_loss"] == pytest.approx(0.01, rel=0.2)
    with open_model(str(directory)) as model:
        images = Gaussian().split("test")[0][:4]
        jacobians = model.noise_jacobians(images)
        logvars = model.posterior(images)[1]
    assert jacobians == pytest.approx(np.broadcast_to(decoder @ scale, (4, 3, 2)))
    assert np.exp(logvars[0]) == pytest.approx([1, 1.01])


def test_loss_decomposition_is_of_the_image(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER, M1, np.eye(2) / 10, "logits")
    decoded = 1 / (1 + np.exp(-IMAGES[:, :2] @ M1.T))
    expected = np.sum((decoded - IMAGES) ** 2, axis=1).mean()
    result = run(loss_decomposition, directory)
    assert result["deterministic_loss"] == pytest.approx(expected, rel=1e-5)
    jacobians = (decoded * (1 - decoded))[:, :, None] * M1
    expected = 0.01 * np.sum(jacobians**2, axis=(1, 2)).mean()
    assert result["linearized_loss"] == pytest.approx(expected, rel=1e-4)


def test_pca_alignment_of_a_turned_model_is_the_turn(tmp_path):
    angle = np.radians(25)
    rows = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0]])
    directory = export_linear_model(tmp_path, rows, np.eye(3, 2) * [-2, 7], np.eye(2))
    # 800 points have principal directions within some degrees of the axes.
    result = run(pca_alignment, directory)
    assert result["decoder_angle"] == pytest.approx(0, abs=6)
    assert result["encoder_angle"] == pytest.approx(25, abs=6)
    assert result["encoder_angles"] == pytest.approx([25, 25], abs=6)
    assert result["decoder_latents"] == result["encoder_latents"] == [0, 1]
    assert result["explained_variance"] == pytest.approx([9 / 14, 4 / 14], rel=0.1)
    assert (result["num_directions"], result["active_latents"]) == (2, [0, 1])


def test_pca_alignment_takes_active_latents_or_as_many_directions_as_asked_for(tmp_path):
    directory = export_linear_model(tmp_path, np.diag([1, 0.1, 1]), np.eye(3), np.eye(3))
    result = run(pca_alignment, directory)
    assert (result["num_directions"], result["active_latents"]) == (2, [0, 2])
    assert set(result["decoder_latents"]) == {0, 2}
    result = run(pca_alignment, directory, num_directions=3)
    assert result["decoder_latents"] == result["encoder_latents"] == [0, 1, 2]
    assert result["decoder_angle"] < 6
    flat = run(pca_alignment, directory, data=Gaussian((3, 0, 2)))
    assert flat["num_directions"] == 2 and flat["active_latents"] == [0, 2]
    none = run(pca_alignment, directory, data=Gaussian((0.1, 0.1, 0.1)))
    assert (none["num_directions"], none["decoder_angle"], none["encoder_angles"]) == (0, None, [])


def test_bad_settings_are_refused(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER, M1, np.eye(2))
    for metric, settings, message in (
        (loss_decomposition, {"num_samples": 0}, "num_samples must be at least 1; got 0"),
        (pca_alignment, {"num_directions": 3}, "= 3, but the data vary along 2 .* 2 latents"),
        (pca_alignment, {"data": Gaussian((0, 0, 0))}, "All observations are the same"),
        (pca_alignment, {"num_points": 2, "num_directions": 2}, "2 points do not determine"),
    ):
        with pytest.raises(InputError, match=message):
            run(metric, directory, **settings)


def test_a_posterior_that_is_a_point_has_no_noise_to_measure(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER, M1, None)
    with pytest.raises(InputError, match="samples nothing.*autoencoder's posterior is a point"):
        run(loss_decomposition, directory)
    with pytest.raises(InputError, match="is a point .no sigma above 4e-18.*autoencoder"):
        run(precision_gap, directory)
    assert run(pca_alignment, directory)["num_points"] == 100
