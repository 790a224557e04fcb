# SPDX-License-Identifier: Apache-2.0
"""Trains with disentanglement_lib 1.5 under TensorFlow 1.14 what the plugin trains elsewhere.

Usage: python train_in_2020.py MODEL_DIR POINTS GIN_FILE [BINDING ...]

Runs in the environment of 2020 (see benchmarks/environments.py), where the plugin cannot be imported. So
that the same gin files serve both, this module gives dlib what they name: the data set synth_linear, read
from the file POINTS (.npy, float32 [n, 3, 1, 1]), the networks without hidden layers and the squared error.
"""

import sys

import gin.tf
import numpy as np
import tensorflow.compat.v1 as tf
from disentanglement_lib.data.ground_truth import ground_truth_data, named_data
from disentanglement_lib.methods.unsupervised import train


class SavedPoints(ground_truth_data.GroundTruthData):
    """Points drawn with replacement from those in a file."""

    observation_shape = None

    def __init__(self, path):
        self._points = np.load(path)
        self.observation_shape = list(self._points.shape[1:])

    def sample_observations(self, num, random_state):
        return self._points[random_state.randint(len(self._points), size=num)]


def add_data_set(name, path):
    """Makes dlib find the points in `path` as the data set `name`."""
    original = named_data.get_named_ground_truth_data

    def get_named_ground_truth_data():
        if gin.query_parameter("dataset.name") == name:
            return SavedPoints(path)
        return original()

    named_data.get_named_ground_truth_data = get_named_ground_truth_data


@gin.configurable("mlp_encoder", whitelist=["layers"])
def mlp_encoder(input_tensor, num_latent, is_training=True, layers=None):
    if layers != []:
        raise ValueError("only the encoder without hidden layers is needed here")
    flattened = tf.layers.flatten(input_tensor)
    means = tf.layers.dense(flattened, num_latent, name="means")
    return means, tf.layers.dense(flattened, num_latent, name="log_var")


@gin.configurable("mlp_decoder", whitelist=["layers"])
def mlp_decoder(latent_tensor, output_shape, is_training=True, layers=None):
    if layers != []:
        raise ValueError("only the decoder without hidden layers is needed here")
    output = tf.layers.dense(latent_tensor, np.prod(output_shape), name="output")
    return tf.reshape(output, [-1] + output_shape)


@gin.configurable("squared_error", whitelist=[])
def squared_error(true_images, reconstructed_images, activation):
    if activation != "linear":
        raise ValueError("only the linear output is needed here")
    return tf.reduce_sum(tf.square(true_images - reconstructed_images), [1, 2, 3])


def main():
    model_dir, points, gin_file = sys.argv[1:4]
    tf.logging.set_verbosity(tf.logging.INFO)
    add_data_set("synth_linear", points)
    train.train_with_gin(model_dir, False, [gin_file], sys.argv[4:])


if __name__ == "__main__":
    main()
