# SPDX-License-Identifier: Apache-2.0
"""What the tests of the engine share; TensorFlow and dlib are imported from here, after the plugin's hook."""

import numpy as np

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train

# isort: split
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.data.synthetic import SynthLinear
from vae_ortho_plugin.engine.estimator import RunConfig, TPUEstimator, TPUEstimatorSpec
from vae_ortho_plugin.engine.in_graph.inputs import ResidentDataset


def variables(checkpoint):
    """Name → value of what a checkpoint, or the newest one in a directory, holds."""
    reader = tf.train.load_checkpoint(str(checkpoint))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same(first, second, rtol=0.0, atol=0.0):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, rtol=rtol, atol=atol, err_msg=name)


def training_spec(loss, optimizer, **more):
    train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    return TPUEstimatorSpec(mode="train", loss=loss, train_op=train_op, **more)


def decay_model(features, labels, mode, params):
    """Before step n, w = 0.99^(n−1); the loss is w²."""
    weight = tf.get_variable("w", [], initializer=tf.ones_initializer()).read_value()
    loss = tf.square(weight) + 0 * tf.reduce_mean(tf.cast(features, tf.float32))
    if mode == "eval":
        metrics = (lambda x: {"mean": tf.metrics.mean(x)}, [tf.reduce_mean(features)])
        return TPUEstimatorSpec(mode=mode, loss=loss, eval_metrics=metrics)
    return training_spec(loss, tf.train.GradientDescentOptimizer(0.005))


def mean_model(features, labels, mode, params):
    """Adam on the squared distance of w from noisy features."""
    features = tf.layers.flatten(features)
    weight = tf.get_variable("w", [int(features.shape[1])], initializer=tf.zeros_initializer())
    noisy = features + 0.1 * tf.random_normal(tf.shape(features))
    loss = tf.reduce_mean(tf.square(weight - noisy))
    if mode == "eval":
        tensors = {"feature": features[:, 0], "weight": weight}

        def means(**tensors):
            return {name: tf.metrics.mean(tensor) for name, tensor in tensors.items()}

        return TPUEstimatorSpec(mode=mode, loss=loss, eval_metrics=(means, tensors))
    return training_spec(loss, tf.train.AdamOptimizer(0.05))


def estimator(directory, model_fn=decay_model, **config):
    return TPUEstimator(model_fn, str(directory), RunConfig(**config), 16, 16)


def resident(params, num_batches=None):
    dataset = train.util.tf_data_set_from_ground_truth_data(SynthLinear(num_points=1000), 3)
    assert isinstance(dataset, ResidentDataset)
    dataset = dataset.batch(params["batch_size"], drop_remainder=True)
    if num_batches is not None:
        dataset = dataset.take(num_batches)
    return dataset.make_one_shot_iterator().get_next()


def generated(params, count=10**6):
    """Batches k, k, k, … of shape [4, 2] for k = 0, 1, 2, …"""

    def generate():
        for number in range(count):
            yield np.full([4, 2], number, np.float32)

    dataset = tf.data.Dataset.from_generator(generate, tf.float32, [4, 2])
    return dataset.make_one_shot_iterator().get_next()
