# SPDX-License-Identifier: Apache-2.0
"""What test_metrics and test_trained_model and test_factor_kinds share."""

import json

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

SHAPE = [4, 3, 1]


IMAGE_OF_RAW = {
    "linear": lambda raw: raw,
    "logits": lambda raw: 1 / (1 + np.exp(-raw)),
    "tanh": lambda raw: np.tanh(raw) / 2 + 0.5,
}


def numpy_decoder(latents, weights):
    """float64 of what `export_model` decodes."""
    return np.tanh(latents @ weights[0]) @ weights[1]


def random_weights(seed=0, latents=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(latents, 7)), rng.normal(size=(7, np.prod(SHAPE)))


def export_model(directory, weights, encoder_weights=None, activation="'logits'", uuid="a run"):
    """A trained model's directory, with a known encoder and decoder."""
    if encoder_weights is None:
        encoder_weights = np.eye(np.prod(SHAPE), weights[0].shape[0])

    def module_fn():
        images = tf.placeholder(tf.float32, [None, *SHAPE])
        mean = tf.matmul(tf.reshape(images, [-1, np.prod(SHAPE)]), encoder_weights.astype("f"))
        hub.add_signature("gaussian_encoder", {"images": images}, {"mean": mean, "logvar": -mean})
        latents = tf.placeholder(tf.float32, [None, weights[0].shape[0]])
        hidden = tf.tanh(tf.matmul(latents, weights[0].astype("f")))
        decoded = tf.reshape(tf.matmul(hidden, weights[1].astype("f")), [-1, *SHAPE])
        hub.add_signature("decoder", {"latent_vectors": latents}, {"images": decoded})

    spec = hub.create_module_spec(module_fn)
    with tf.Graph().as_default(), tf.Session() as session:
        hub.Module(spec).export(str(directory / "tfhub"), session)
    results = directory / "results"
    (results / "gin").mkdir(parents=True)
    (results / "json").mkdir()
    (results / "gin" / "train.gin").write_text(
        f"# Parameters\ndataset.name = 'small'\nreconstruction_loss.activation = {activation}\n"
    )
    (results / "json" / "train_results.json").write_text(json.dumps({"uuid": uuid}))
    return directory


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return export_model(tmp_path_factory.mktemp("run") / "model", random_weights())


def finite_differences(function, points, step=1e-6):
    """[points, outputs, latents] of a float64 function of [points, latents]."""
    columns = [
        (function(points + step * e) - function(points - step * e)) / (2 * step)
        for e in np.eye(points.shape[1])
    ]
    return np.stack([c.reshape(len(points), -1) for c in columns], axis=2)
