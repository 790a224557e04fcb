# SPDX-License-Identifier: Apache-2.0
"""The contrast as a metric of dlib and while a model trains, and what the metric dto says of singular values."""

import functools
import json

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.evaluation import evaluate
from models_support import VECTORS, fresh_gin, trained  # noqa: F401
from test_metrics_mechanism import M1, Gaussian, export_linear_model

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics.dto import dto
from vae_ortho_plugin.decoder.metrics.evaluated import model_dir_from, points
from vae_ortho_plugin.decoder.metrics.ima_contrast import ima_contrast
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.errors import InputError

ENCODER = np.eye(2, 3)


def run(metric, directory, **settings):
    """The metric as the step that evaluates `directory` calls it."""
    with model_dir_from(functools.partial(find_model_dir, str(directory))):
        return metric(Gaussian(), None, np.random.RandomState(0), **settings)


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


@pytest.mark.parametrize("loss", ["squared_error", "l2_loss", "bernoulli_loss"])
def test_the_regularized_contrast_is_in_the_inner_product_of_the_loss(tmp_path, loss):
    directory = export_linear_model(tmp_path, ENCODER / 10, M1, np.eye(2), "logits", loss)
    result = run(ima_contrast, directory, beta=0.5)
    images, _ = next(points(Gaussian(), "test", None, np.random.RandomState(0)))
    raw = images.reshape(len(images), 3) @ ENCODER.T / 10 @ M1.T
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


def test_a_model_without_beta_has_no_regularized_contrast(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER, M1, np.eye(2))
    result = run(ima_contrast, directory)
    assert result["beta"] is None and result["ima_contrast_regularized"] is None


def test_where_it_is_infinite_or_has_no_latents_the_metric_is_none(tmp_path):
    dependent = export_linear_model(tmp_path / "0", ENCODER, M1[:, [0, 0]], np.eye(2))
    result = run(ima_contrast, dependent, beta=1.0)
    assert result["ima_contrast"] is None and result["ima_contrast_regularized"] > 1
    assert result["mean_abs_cosine"] == pytest.approx(1)
    passive = export_linear_model(tmp_path / "1", ENCODER * [[1], [0.01]], M1, np.eye(2))
    result = run(ima_contrast, passive)
    assert result["active_latents"] == [0] and result["ima_contrast_active"] == 0
    assert result["mean_abs_cosine_active"] is None


@pytest.mark.parametrize("beta", [-1.0, 0.0])
def test_a_bad_beta_is_refused(tmp_path, beta):
    directory = export_linear_model(tmp_path, ENCODER, M1, np.eye(2))
    with pytest.raises(InputError, match="beta must be positive"):
        run(ima_contrast, directory, beta=beta)


@pytest.mark.parametrize("ratio, share", [(1.04, 1), (1.06, 0), (3, 0)])
def test_the_metric_dto_says_how_far_singular_values_are_from_equal(tmp_path, ratio, share):
    decoder = np.eye(3, 2) * [ratio, 1]
    result = run(dto, export_linear_model(tmp_path, ENCODER, decoder, np.eye(2)))
    assert result["singular_value_ratio"] == pytest.approx(ratio, rel=1e-6)
    assert result["nearly_equal_share"] == share
    # The same of columns that are picked: rel=1e-12 as above.
    assert result["singular_value_ratio_active"] == pytest.approx(
        result["singular_value_ratio"], rel=1e-12
    )


def test_one_active_latent_has_no_ratio_of_singular_values(tmp_path):
    directory = export_linear_model(tmp_path, ENCODER * [[1], [0.01]], M1, np.eye(2))
    result = run(dto, directory)
    assert result["singular_value_ratio"] > 1
    assert result["singular_value_ratio_active"] is result["nearly_equal_share_active"] is None
    assert result["dto_active"] == 0


def test_metric_and_tracker_agree_with_numpy_through_dlib(tmp_path):
    model = ["model.model = @linearized_vae()", "linearized_vae.beta = 1e-3"]
    tracked = ["ima_contrast_while_training.every = 10", "model.training_steps = 25"]
    outcome = trained(tmp_path / "m", VECTORS, *model, *tracked)["ima_contrast_while_training"]
    assert outcome["steps"] == [0, 10, 20, 25] and outcome["num_points"] == 1000
    assert np.isfinite(outcome["ima_contrast"]).all() and min(outcome["ima_contrast"]) > 0
    evaluate.evaluate_with_gin(
        str(tmp_path / "m"), str(tmp_path / "e"), False, ["metrics/ima_contrast.gin"], []
    )
    result = json.loads((tmp_path / "e/results/json/evaluation_results.json").read_text())
    assert result["beta"] == 1e-3
    with open_model(str(tmp_path / "m")) as opened:
        from vae_ortho_plugin.data.synthetic import SynthLinear

        images, _ = SynthLinear(num_points=1000).split("test")
        jacobians = np.concatenate(list(opened.jacobians(opened.encode(images))))
    for name, expected in (
        ("ima_contrast", measures.ima_contrast(jacobians)),
        ("ima_contrast_regularized", measures.regularized_ima_contrast(jacobians, 1e-3)),
        ("mean_abs_cosine", measures.mean_abs_cosine(jacobians)),
    ):
        assert result[name] == pytest.approx(expected.mean, rel=1e-4)
    assert outcome["ima_contrast"][-1] == pytest.approx(result["ima_contrast"], rel=0.2)
