# SPDX-License-Identifier: Apache-2.0
"""Trains with disentanglement_lib 1.5 under TensorFlow 1.14 what the plugin trains elsewhere.

Runs in the environment with TensorFlow 1.14 (see environment_tf114.py), where the plugin cannot be imported. So that the
same gin files serve both, this module gives dlib what they name: data sets of vectors or images, read from
files (.npy, float32), networks of dense layers and the squared error.
"""

import argparse
import functools
import os
import sys
import time

import gin.tf
import numpy as np
import numpy_of_tf114  # noqa: F401
import tensorflow.compat.v1 as tf
from disentanglement_lib.data.ground_truth import ground_truth_data, named_data, util
from disentanglement_lib.methods.unsupervised import train

GIN_CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gin_configs")


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


def dense(tensor, width, initial_weights, activation=None):
    """A layer with the initial weights of vae_ortho_plugin/models/networks.py."""
    initializers = {}
    if initial_weights == "fan_in":
        bound = int(tensor.shape[-1]) ** -0.5
        uniform = tf.random_uniform_initializer(-bound, bound)
        initializers = {"kernel_initializer": uniform, "bias_initializer": uniform}
    return tf.layers.dense(tensor, width, activation=activation, **initializers)


def hidden_layers(tensor, widths, initial_weights, activation):
    for width in widths:
        tensor = dense(tensor, width, initial_weights, getattr(tf.nn, activation))
    return tensor


@gin.configurable("mlp_encoder", blacklist=["input_tensor", "num_latent", "is_training"])
def mlp_encoder(
    input_tensor,
    num_latent,
    is_training=True,
    layers=(),
    activation="relu",
    initial_weights="fan_in",
):
    flat = tf.layers.flatten(input_tensor)
    hidden = hidden_layers(flat, layers, initial_weights, activation)
    means = dense(hidden, num_latent, initial_weights)
    return means, dense(hidden, num_latent, initial_weights)


@gin.configurable("mlp_decoder", blacklist=["latent_tensor", "output_shape", "is_training"])
def mlp_decoder(
    latent_tensor,
    output_shape,
    is_training=True,
    layers=(),
    activation="tanh",
    initial_weights="fan_in",
):
    hidden = hidden_layers(latent_tensor, layers, initial_weights, activation)
    output = dense(hidden, np.prod(output_shape), initial_weights)
    return tf.reshape(output, [-1] + output_shape)


@gin.configurable("squared_error", whitelist=[])
def squared_error(true_images, reconstructed_images, activation):
    if activation != "linear":
        raise ValueError("only the linear output is needed here")
    return tf.reduce_sum(tf.square(true_images - reconstructed_images), [1, 2, 3])


class StepsOnRequest(tf.train.SessionRunHook):
    """Lets training run as many steps as the next number on standard input says."""

    def __init__(self):
        self._left = 0
        self._started = None

    def before_run(self, run_context):
        if self._left == 0:
            if self._started is not None:
                answer(time.time() - self._started)
            self._left = next_request()
            self._started = time.time()
        self._left -= 1


def train_on_request(model_dir, gin_files, bindings):
    make_estimator = train.contrib_tpu.TPUEstimator

    def make_estimator_on_request(**arguments):
        estimator = make_estimator(**arguments)
        # An estimator of TensorFlow refuses subclasses that override its methods.
        vars(estimator)["train"] = lambda input_fn, steps: make_estimator.train(
            estimator, input_fn, hooks=[StepsOnRequest()]
        )
        return estimator

    train.contrib_tpu.TPUEstimator = make_estimator_on_request
    train.train_with_gin(model_dir, True, gin_files, bindings)


def read_on_request(gin_files, bindings, batch_size=64):
    """Reads batches from dlib's generator, and does nothing with them."""
    gin.parse_config_files_and_bindings(gin_files, bindings)
    data = named_data.get_named_ground_truth_data()
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = util.tf_data_set_from_ground_truth_data(data, 0)
        dataset = dataset.batch(batch_size, drop_remainder=True)
        batch = dataset.make_one_shot_iterator().get_next()
        while True:
            count, started = next_request(), time.time()
            for _ in range(count):
                session.run(batch.op)
            answer(time.time() - started)


def next_request():
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    return int(line)


def answer(seconds):
    ANSWERS.write(f"{seconds!r}\n")


def skip_models_of_the_plugin():
    """The gin files of data sets bind beta for models that are unknown here."""
    skipped = ["full_covariance_vae", "polarized_vae", "linearized_vae"]
    parse = gin.parse_config_files_and_bindings
    gin.parse_config_files_and_bindings = functools.partial(parse, skip_unknown=skipped)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model_dir")
    parser.add_argument("--points", nargs=2, metavar=("DATA_SET", "FILE"))
    parser.add_argument("--gin_config", action="append", default=[])
    parser.add_argument("--gin_bindings", action="append", default=[])
    parser.add_argument("--on_request", choices=["steps", "batches"])
    arguments = parser.parse_args()
    skip_models_of_the_plugin()
    # The model files include a data set file.
    gin.config.add_config_file_search_path(GIN_CONFIGS)
    if arguments.points:
        add_data_set(*arguments.points)
    configuration = arguments.gin_config, arguments.gin_bindings
    if arguments.on_request == "batches":
        read_on_request(*configuration)
    elif arguments.on_request == "steps":
        train_on_request(arguments.model_dir, *configuration)
    else:
        tf.logging.set_verbosity(tf.logging.INFO)
        train.train_with_gin(arguments.model_dir, False, *configuration)


if __name__ == "__main__":
    # Whatever else is printed goes to the log.
    ANSWERS = os.fdopen(os.dup(1), "w", 1)
    os.dup2(2, 1)
    main()
