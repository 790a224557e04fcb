# SPDX-License-Identifier: Apache-2.0
"""disentanglement_lib 1.5, unmodified, on TensorFlow 1.14.

Runs in an environment of Python 3.7, whose Python is given as --python-tf114, where the plugin cannot be imported:

    pip install tensorflow==1.14 disentanglement-lib==1.5 gin-config==0.3.0 tensorflow-hub==0.7.0 \\
        "protobuf<3.21" "h5py<3" "numpy<1.19" "imageio<2.28"

So that the same gin files serve both, this module gives dlib what they name: data sets read from files, networks of
dense layers and the squared error.
"""

import functools
import json
import os
import shutil
import sys
import threading
import time

import answers
import gin.tf
import numpy as np
import tensorflow.compat.v1 as tf
from disentanglement_lib.data.ground_truth import ground_truth_data, named_data
from disentanglement_lib.methods.unsupervised import train as dlib_train

# Models of the plugin, for which the data sets' gin files bind beta.
UNKNOWN = ["full_covariance_vae", "polarized_vae", "linearized_vae"]


class SavedPoints(ground_truth_data.GroundTruthData):
    """Points drawn with replacement from those in a file."""

    observation_shape = None

    def __init__(self, path, scale):
        self._points, self._scale = np.load(path), np.float32(scale)
        self.observation_shape = list(self._points.shape[1:])

    def sample_observations(self, num, random_state):
        return self._points[random_state.randint(len(self._points), size=num)] * self._scale


def add_data_set(path, scale):
    """Makes dlib find the points in `path` under any name."""
    named_data.get_named_ground_truth_data = lambda: SavedPoints(path, scale)


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
    """Lets a training run make as many steps as a request says, and wait for the next one."""

    def __init__(self):
        self._asked, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._left, self._started = 0, None

    def __call__(self, steps):
        self._steps = steps
        self._asked.release()
        self._done.acquire()
        return self._seconds

    def before_run(self, run_context):
        if self._left == 0:
            if self._started is not None:
                self._seconds = time.time() - self._started
                self._done.release()
            self._asked.acquire()
            self._left, self._started = self._steps, time.time()
        self._left -= 1


def train(data_set, batch_size, scratch, points=None, scale=1.0, seed=0, gin_file=None, **_):
    """The steps of dlib_train, by its own estimator."""
    files = [gin_file] if gin_file else answers.gin_files("beta_vae", data_set)
    common = [f"model.batch_size = {batch_size}", f"model.random_seed = {seed}"]
    directory = os.path.join(scratch, f"trained_in_tf114_{os.getpid()}")
    shutil.rmtree(directory, ignore_errors=True)
    if points and data_set != "dsprites":
        add_data_set(points, scale)

    def train_with(bindings):
        dlib_train.train_with_gin(directory, True, files, common + bindings)

    def check(steps):
        train_with([f"model.training_steps = {steps}", "model.eval_steps = 1000"])
        with open(os.path.join(directory, "results", "json", "train_results.json")) as file:
            return json.load(file)

    hook, make_estimator = StepsOnRequest(), dlib_train.contrib_tpu.TPUEstimator

    def make_estimator_on_request(**arguments):
        estimator = make_estimator(**arguments)
        # An estimator of TensorFlow refuses subclasses that override its methods.
        vars(estimator)["train"] = lambda input_fn, steps: make_estimator.train(
            estimator, input_fn, hooks=[hook]
        )
        return estimator

    def run(steps):
        if dlib_train.contrib_tpu.TPUEstimator is make_estimator:
            dlib_train.contrib_tpu.TPUEstimator = make_estimator_on_request
            bindings = ["model.training_steps = 0", "model.eval_steps = 1"]
            threading.Thread(target=end_with, args=(train_with, bindings), daemon=True).start()
            hook(1)
        return hook(steps)

    run.check = check
    return run


def end_with(function, argument):
    """Calls the function; ends the process where it fails."""
    try:
        function(argument)
    finally:
        sys.stderr.flush()
        os._exit(1)


def metric(scratch, num_train, num_eval, **_):
    """dlib's BetaVAE metric."""
    directory = os.path.join(scratch, "untrained_in_tf114")
    if not os.path.exists(directory):
        files = answers.gin_files("vae", "dsprites")
        bindings = ["model.training_steps = 1", "model.eval_steps = 1"]
        bindings.append("dataset.name = 'dummy_data'")
        dlib_train.train_with_gin(directory, False, files, bindings)
    path = os.path.join(directory, "tfhub")
    return lambda _: answers.beta_vae_metric(path, num_train, num_eval)


if __name__ == "__main__":
    gin.config.add_config_file_search_path(answers.GIN_CONFIGS)
    parse = gin.parse_config_files_and_bindings
    gin.parse_config_files_and_bindings = functools.partial(parse, skip_unknown=UNKNOWN)
    answers.serve({"train": train, "metric": metric}, {"tensorflow": tf.VERSION})
