# SPDX-License-Identifier: Apache-2.0
"""A model that dlib trained under TensorFlow 1.14 gives here what it gave there.

tests/fixtures/make_tf114_model.py made the model and the reference values.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from disentanglement_lib.postprocessing import postprocess
from metrics_support import evaluation, tf

from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.measures.dto import distance_to_orthogonality

FIXTURE = Path(__file__).parents[1] / "fixtures" / "tf114_model"
MODEL = FIXTURE / "model"


@pytest.fixture(scope="module")
def reference():
    """The inputs, drawn as make_tf114_model.py draws them, and TensorFlow 1.14's outputs."""
    random_state = np.random.RandomState(0)
    images = random_state.random_sample((8, 64, 64, 1)).astype(np.float32)
    latents = random_state.normal(size=(4, 3)).astype(np.float32)
    with np.load(FIXTURE / "reference.npz") as outputs:
        return {"images": images, "latents": latents, **outputs}


def test_encoder_and_decoder_compute_what_they_did(reference):
    with open_model(str(MODEL), "raw") as model:
        mean, logvar = model.posterior(reference["images"])
        decoded = model.decode(reference["latents"])
    for name, computed in (("mean", mean), ("logvar", logvar), ("decoded", decoded)):
        np.testing.assert_allclose(computed, reference[name], rtol=1e-5, atol=1e-5)


def test_tensorflow_alone_opens_an_exported_model(reference):
    model = tf.saved_model.load_v2(str(MODEL / "tfhub"), tags=[])
    encoded = model.signatures["gaussian_encoder"](images=tf.constant(reference["images"]))
    np.testing.assert_allclose(encoded["mean"], reference["mean"], rtol=1e-5, atol=1e-5)


def test_mig_of_its_representation_is_what_it_was(tmp_path):
    bindings = ["postprocess.postprocess_fn = @mean_representation", "postprocess.random_seed = 0"]
    bindings += ["dataset.name = 'dummy_data'"]
    postprocess.postprocess_with_gin(str(MODEL), str(tmp_path / "post"), gin_bindings=bindings)
    settings = ["mig.num_train = 1000", "discretizer.num_bins = 20"]
    settings += ["discretizer.discretizer_fn = @histogram_discretizer"]
    results = evaluation(tmp_path / "post", tmp_path / "metric", "mig", *settings)
    expected = json.loads((FIXTURE / "mig.json").read_text())["discrete_mig"]
    assert results["discrete_mig"] == pytest.approx(expected, abs=1e-4)


def test_dto_is_that_of_the_matrix_of_its_affine_decoder(reference, tmp_path):
    # Its outputs at four latents, less one of them, determine the matrix.
    differences = np.diff(reference["latents"], axis=0), np.diff(reference["decoded"], axis=0)
    matrix = np.linalg.solve(differences[0], differences[1].reshape(3, -1)).T
    settings = "dto.num_points = 64", "dto.output = 'raw'"
    results = evaluation(MODEL, tmp_path / "metric", "dto", *settings)
    expected = distance_to_orthogonality(matrix[np.newaxis]).mean
    assert results["dto"] == pytest.approx(expected, abs=1e-4)
    assert results["num_points"] == 64


def test_noise_jacobians_of_a_diagonal_posterior_are_its_columns_times_sigma():
    images = np.random.RandomState(0).random_sample((3, 64, 64, 1))
    with open_model(str(MODEL)) as model:
        means, logvars = model.posterior(images)
        (jacobians,) = model.jacobians(means)
        found = model.noise_jacobians(images)
        mean_images = model.reconstruct(images, np.zeros((3, model.num_latents)))
        assert mean_images == pytest.approx(model.decode(means), abs=1e-6)
    assert found == pytest.approx(jacobians * np.exp(logvars / 2)[:, None, :], abs=1e-6)
    assert np.abs(found).max() > 1e-4
