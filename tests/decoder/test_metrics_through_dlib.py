# SPDX-License-Identifier: Apache-2.0
"""Metrics of a model that dlib trained, by dlib_evaluate, and its trackers."""

import gin
import numpy as np
import pytest
from metrics_support import evaluation

# isort: split
from disentanglement_lib.postprocessing import postprocess

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import InputError

POINTS = "synth_linear.num_points = 1000"


def test_metrics_of_jacobians_and_their_trackers_are_the_functions(linear_vae, tmp_path):
    model, results = linear_vae.directory, linear_vae.results
    images, _ = SynthLinear(num_points=1000).split("test")
    with open_model(str(model)) as opened:
        (jacobians,) = opened.jacobians(opened.encode(images))
    dto = evaluation(model, tmp_path / "dto", "dto", POINTS)
    ima = evaluation(model, tmp_path / "ima", "ima_contrast", POINTS)
    regularized = measures.regularized_ima_contrast(jacobians, ima["beta"])
    for found, expected in (
        (dto["dto"], measures.distance_to_orthogonality(jacobians)),
        (ima["ima_contrast"], measures.ima_contrast(jacobians)),
        (ima["ima_contrast_of_loss"], measures.ima_contrast(jacobians)),
        (ima["ima_contrast_regularized"], regularized),
        (ima["mean_abs_cosine"], measures.mean_abs_cosine(jacobians)),
    ):
        assert found == pytest.approx(expected.mean, rel=1e-4, abs=1e-6)
    assert ima["beta"] > 0 and dto["num_points"] == ima["num_points"] == 100
    # The decoder is linear: its Jacobian is the same at the training points.
    for label, found in (("dto", dto), ("ima_contrast", ima)):
        tracked = results[f"{label}_while_training"]
        assert tracked["steps"] == [0, 150, 200] and tracked["num_points"] == 1000
        assert tracked[label][-1] == pytest.approx(found[label], rel=1e-3, abs=1e-6)
        assert len(set(tracked[label])) == 3


def test_the_metrics_of_a_postprocessed_representation_are_those_of_its_model(linear_vae, tmp_path):
    model, post = tmp_path / "model", tmp_path / "postprocessed" / "mean"
    model.symlink_to(linear_vae.directory)
    bindings = ["postprocess.postprocess_fn = @mean_representation", "postprocess.random_seed = 0"]
    bindings += ["dataset.name = 'auto'", POINTS]
    postprocess.postprocess_with_gin(str(model), str(post), gin_bindings=bindings)
    settings = POINTS, "dto.solver = 'milp'", "dto.num_points = 5", "dto.output = 'raw'"
    found = evaluation(model, tmp_path / "dto", "dto", *settings)
    assert (found["solver"], found["num_points"], found["output"]) == ("milp", 5, "raw")
    assert evaluation(post, tmp_path / "post_dto", "dto", *settings) == found
    found = evaluation(model, tmp_path / "score", "disentanglement_score", POINTS)
    assert np.shape(found["score_matrix"]) == (2, 2)
    assert evaluation(post, tmp_path / "post", "disentanglement_score", POINTS) == found


def test_the_mechanism_of_a_trained_model(linear_vae, tmp_path):
    model = linear_vae.directory
    loss = evaluation(model, tmp_path / "loss", "loss_decomposition", POINTS)
    # The model is linear, so that Eq. 17 is exact.
    assert abs(loss["linearization_error"]) < 5 * loss["linearization_error_stderr"]
    gap = evaluation(model, tmp_path / "gap", "precision_gap", POINTS)
    assert gap["precision_gap"] > gap["precision_gap_columns"] > 0
    pca = evaluation(model, tmp_path / "pca", "pca_alignment", POINTS)
    assert pca["num_directions"] == pca["num_active_latents"]
    found = evaluation(model, tmp_path / "noise", "self_consistency", POINTS)
    assert found["self_consistency"] > 0 and found["inversion_error"] > 0


def test_a_parameter_that_a_metric_does_not_have_or_takes_otherwise_is_named(linear_vae, tmp_path):
    for binding, message in (
        ("dto.solvers = 'milp'", "solvers"),
        ("self_consistency.output = 'raw'", "output"),
        ("dto.random_state = 1", "random_state"),
        ("dto.num_points = 'all'", "dto.num_points = 'all'; it must be a whole number"),
        ("dto.num_points = 0", "num_points must be at least 1; got 0"),
        ("precision_gap.batch_size = 2.5", "precision_gap.batch_size = 2.5; it must be"),
    ):
        metric = binding.partition(".")[0]
        with pytest.raises((InputError, ValueError), match=message):
            evaluation(linear_vae.directory, tmp_path / "result", metric, binding)
        gin.clear_config()
    assert not (tmp_path / "result").exists()
