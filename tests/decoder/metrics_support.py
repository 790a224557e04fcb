# SPDX-License-Identifier: Apache-2.0
"""Exported models with known encoders and decoders, and a call of a metric as a step makes it."""

import functools
import json

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.evaluation import evaluate

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.decoder.metrics.evaluated import model_dir_from
from vae_ortho_plugin.dlib.steps.after_training import find_model_dir

SHAPE = [4, 3, 1]

# Eq. 24, and Sec. 4.2: M2 = M1 R45ᵀ.
M1 = np.array([[4.0, 1], [-3, 1], [5, -1]])
M2 = M1 @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)

IMAGE_OF_RAW = {
    "linear": lambda raw: raw,
    "logits": lambda raw: 1 / (1 + np.exp(-raw)),
    "tanh": lambda raw: np.tanh(raw) / 2 + 0.5,
}


class Gaussian(SplitGroundTruthData):
    """1,000 points of R^3, the variances along the axes 9, 4, 1."""

    def __init__(self, scale=(3, 2, 1)):
        points = np.random.default_rng(0).normal(size=(1000, 3)) * scale
        super().__init__(points.astype(np.float32)[:, :, None, None])


class TwoFactors(SplitGroundTruthData):
    """1,000 points with a class and a number, which are the first two pixels of the image."""

    def __init__(self, kinds=("categorical", "continuous")):
        self.factor_names, self.factor_kinds = ["shape", "size"][: len(kinds)], list(kinds)
        rng = np.random.default_rng(0)
        factors = np.stack([rng.integers(3, size=1000), rng.uniform(size=1000)], axis=1)
        observations = rng.uniform(size=(1000, *SHAPE)).astype(np.float32)
        observations.reshape(1000, -1)[:, :2] = factors
        super().__init__(observations, factors)


def run(metric, directory, data=None, **settings):
    """The metric as the step that evaluates `directory` calls it."""
    with model_dir_from(functools.partial(find_model_dir, str(directory))):
        return metric(data or Gaussian(), None, np.random.RandomState(0), **settings)


def evaluation(directory, output, metric, *bindings, seed=0):
    """What dlib_evaluate writes, but for what differs from one call to the next."""
    settings = [f"evaluation.evaluation_fn = @{metric}", f"evaluation.random_seed = {seed}"]
    settings += ["dataset.name = 'auto'", *bindings]
    evaluate.evaluate_with_gin(str(directory), str(output), gin_bindings=settings)
    results = json.loads((output / "results/json/evaluation_results.json").read_text())
    return {k: v for k, v in results.items() if k not in ("uuid", "elapsed_time")}


def numpy_decoder(latents, weights):
    """float64 of what `export_model` decodes."""
    return np.tanh(latents @ weights[0]) @ weights[1]


def random_weights(seed=0, latents=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(latents, 7)), rng.normal(size=(7, np.prod(SHAPE)))


def export(directory, module_fn, config=None, uuid="a run"):
    """A directory with a TF-Hub module, as a step of dlib leaves it."""
    with tf.Graph().as_default(), tf.Session() as session:
        module = hub.Module(hub.create_module_spec(module_fn))
        session.run(tf.global_variables_initializer())
        module.export(str(directory / "tfhub"), session)
    files = {"json/train_results.json": json.dumps({"uuid": uuid})}
    if config is not None:
        files["gin/train.gin"] = config
    for name, text in files.items():
        path = directory / "results" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return directory


def export_model(directory, weights, encoder_weights=None, activation="'logits'", uuid="a run"):
    """A trained model's directory, with a decoder of one hidden layer."""
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

    config = f"# Parameters\nreconstruction_loss.activation = {activation}\n"
    return export(directory, module_fn, config, uuid)


def export_linear_model(
    directory, encoder, decoder, scale, activation="linear", loss="squared_error"
):
    """A trained model's directory: mean = encoder x, posterior covariance scale scaleᵀ, Dec = decoder z.

    No scale stands for an autoencoder.
    """

    def module_fn():
        images = tf.placeholder(tf.float32, [None, 3, 1, 1])
        mean = tf.matmul(tf.reshape(images, [-1, 3]), np.transpose(encoder).astype("f"))
        variances = np.sum(np.square(scale), axis=1) if scale is not None else np.exp(-80.0)
        logvar = tf.zeros_like(mean) + np.log(variances).astype("f")
        hub.add_signature("gaussian_encoder", {"images": images}, {"mean": mean, "logvar": logvar})
        # A variable, whose initial value is another draw of normal numbers.
        factor = tf.get_variable("factor", [], initializer=tf.random_normal_initializer())
        matrix = tf.stop_gradient(factor) * 0 + np.transpose(decoder).astype("f")

        def decode(latents):
            return tf.reshape(tf.matmul(latents, matrix), [-1, 3, 1, 1])

        sample = mean
        if scale is not None:
            noise = tf.random_normal(tf.shape(mean))
            sample += tf.matmul(noise, np.transpose(scale).astype("f"))
        hub.add_signature("reconstructions", {"images": images}, {"images": decode(sample)})
        feed = tf.placeholder(tf.float32, [None, len(encoder)])
        hub.add_signature("decoder", {"latent_vectors": feed}, {"images": decode(feed)})

    config = f"reconstruction_loss.activation = '{activation}'\n"
    return export(directory, module_fn, f"{config}reconstruction_loss.loss_fn = @{loss}\n")


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
