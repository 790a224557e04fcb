# SPDX-License-Identifier: Apache-2.0
"""The limit of training: the arithmetic of a VAE's steps in a loop of TensorFlow, and nothing else.

Written out with matrix products, without dlib, gin or this project: no logs, summaries, checkpoints or history of
losses, and no look at the loss. Batches and noise are drawn for many steps at once outside of XLA, as the plugin does; the
gradients are TensorFlow's and the update is its optimizer's.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as tf

_PHILOX = 1


@dataclasses.dataclass(frozen=True)
class Conv:
    """A convolution with stride 2, or a transposed one where it is part of a decoder."""

    kernel: int
    filters: int


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A VAE and its training.

    Attributes:
        encoder: hidden layers: the width of a dense one, or a `Conv`.
        decoder: hidden layers; a `Conv` after a dense layer takes it for an image of 4 x 4.
        output: the last layer where it is a `Conv`; else it is dense.
        encoder_activation, decoder_activation: after each hidden layer.
        latents: number of latents.
        loss: 'squared' or 'bernoulli' (on logits).
        optimizer: makes the optimizer.
        full_covariance: whether the posterior has a full covariance matrix.
        beta: weight of the KL term.
    """

    latents: int
    loss: str
    optimizer: Callable[[], tf.train.Optimizer]
    beta: float
    encoder: tuple[int | Conv, ...] = ()
    decoder: tuple[int | Conv, ...] = ()
    output: Conv | None = None
    encoder_activation: Callable = tf.tanh
    decoder_activation: Callable = tf.tanh
    full_covariance: bool = False


class BareLoop:
    """Trains: call it with a number of steps; it returns the seconds they took.

    Args:
        architecture: of the network.
        observations: [points, height, width, channels], uint8 or float32.
        scale: what an observation is multiplied by.
        batch_size: of a step.
        capacity: largest number of steps in one session call.
        xla: whether XLA compiles the loop.
    """

    def __init__(
        self,
        architecture: Architecture,
        observations: np.ndarray,
        scale: float,
        batch_size: int,
        capacity: int,
        xla: bool,
    ):
        self._capacity = capacity
        points, *shape = observations.shape
        with tf.Graph().as_default():
            placeholder = tf.placeholder(observations.dtype, [points, math.prod(shape)])
            data = tf.Variable(placeholder, trainable=False)
            drawn = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._limit = tf.placeholder(tf.int32, [])

            start = drawn.read_value()
            ahead = [
                _draw_rows(start, capacity, batch_size, points),
                _draw_normal(start, [capacity, batch_size, architecture.latents]),
            ]

            def loop(limit, rows, noise):
                def body(step):
                    batch = tf.cast(tf.gather(data, rows[step]), tf.float32)
                    if scale != 1:
                        batch *= scale
                    batch = tf.reshape(batch, [batch_size, *shape])
                    loss = _loss(architecture, batch, noise[step])
                    with tf.control_dependencies([architecture.optimizer().minimize(loss)]):
                        return [step + 1]

                return tf.while_loop(lambda step: step < limit, body, [tf.constant(0)])

            inputs = [self._limit, *ahead]
            done = tf.xla.experimental.compile(loop, inputs) if xla else loop(*inputs)
            with tf.control_dependencies(tf.nest.flatten(done)):
                self._train = drawn.assign_add(capacity).op
            self._session = tf.Session()
            self._session.run(
                tf.global_variables_initializer(), {placeholder: observations.reshape(points, -1)}
            )

    def __call__(self, steps: int) -> float:
        start = time.perf_counter()
        while steps > 0:
            self._session.run(self._train, {self._limit: min(steps, self._capacity)})
            steps -= self._capacity
        return time.perf_counter() - start

    def close(self) -> None:
        self._session.close()


def _draw_rows(start: tf.Tensor, steps: int, batch_size: int, points: int) -> tf.Tensor:
    rows = tf.raw_ops.StatelessRandomUniformIntV2(
        shape=[steps * batch_size],
        key=tf.constant([1], tf.uint64),
        counter=_counter(start, batch_size),
        alg=_PHILOX,
        minval=0,
        maxval=points,
    )
    return tf.reshape(rows, [steps, batch_size])


def _draw_normal(start: tf.Tensor, shape: list[int]) -> tf.Tensor:
    normal = tf.raw_ops.StatelessRandomNormalV2(
        shape=[math.prod(shape)],
        key=tf.constant([2], tf.uint64),
        counter=_counter(start, math.prod(shape[1:])),
        alg=_PHILOX,
    )
    return tf.reshape(normal, shape)


def _counter(start: tf.Tensor, numbers_a_step: int) -> tf.Tensor:
    return tf.stack([tf.cast(start * numbers_a_step, tf.uint64), tf.constant(0, tf.uint64)])


def _weights(shape: list[int]) -> tf.Variable:
    return tf.Variable(lambda: tf.random.normal(shape, stddev=math.prod(shape[:-1]) ** -0.5))


def _bias(size: int) -> tf.Variable:
    return tf.Variable(lambda: tf.zeros([size]))


def _dense(tensor: tf.Tensor, width: int) -> tf.Tensor:
    tensor = tf.reshape(tensor, [tensor.shape[0], -1])
    weights = _weights([tensor.shape.as_list()[1], width])
    return tf.matmul(tensor, weights) + _bias(width)


def _conv(tensor: tf.Tensor, layer: Conv) -> tf.Tensor:
    weights = _weights([layer.kernel, layer.kernel, tensor.shape.as_list()[3], layer.filters])
    return tf.nn.bias_add(
        tf.nn.conv2d(tensor, weights, strides=2, padding="SAME"), _bias(layer.filters)
    )


def _transposed_conv(tensor: tf.Tensor, layer: Conv) -> tf.Tensor:
    if tensor.shape.rank == 2:
        tensor = tf.reshape(tensor, [tensor.shape[0], 4, 4, -1])
    batch, height, width, channels = tensor.shape.as_list()
    weights = _weights([layer.kernel, layer.kernel, layer.filters, channels])
    shape = [batch, 2 * height, 2 * width, layer.filters]
    return tf.nn.bias_add(
        tf.nn.conv2d_transpose(tensor, weights, shape, strides=2), _bias(layer.filters)
    )


def _loss(architecture: Architecture, batch: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    hidden = batch
    for layer in architecture.encoder:
        layer_fn = _conv if isinstance(layer, Conv) else _dense
        hidden = architecture.encoder_activation(layer_fn(hidden, layer))
    sample = _full_covariance_sample if architecture.full_covariance else _diagonal_sample
    hidden, kl = sample(hidden, architecture.latents, noise)
    for layer in architecture.decoder:
        layer_fn = _transposed_conv if isinstance(layer, Conv) else _dense
        hidden = architecture.decoder_activation(layer_fn(hidden, layer))
    if architecture.output:
        output = _transposed_conv(hidden, architecture.output)
    else:
        output = _dense(hidden, math.prod(batch.shape.as_list()[1:]))
    output = tf.reshape(output, batch.shape)
    if architecture.loss == "squared":
        errors = tf.square(output - batch)
    else:
        errors = tf.nn.sigmoid_cross_entropy_with_logits(logits=output, labels=batch)
    return (tf.reduce_sum(errors) + architecture.beta * kl) / batch.shape.as_list()[0]


def _diagonal_sample(
    hidden: tf.Tensor, latents: int, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """A latent of N(mean, diag(exp(log_var))), and the batch's sum of KL terms."""
    mean, log_var = _dense(hidden, latents), _dense(hidden, latents)
    kl = 0.5 * tf.reduce_sum(tf.square(mean) + tf.exp(log_var) - log_var - 1)
    return mean + tf.exp(log_var / 2) * noise, kl


def _full_covariance_sample(
    hidden: tf.Tensor, latents: int, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """A latent of N(mean, L L^T), and the batch's sum of KL terms.

    L has exp(log_var / 2) on its diagonal and, below it, further outputs of the encoder.
    """
    cells = [(row, column) for row in range(latents) for column in range(row)]
    mean, log_var = _dense(hidden, latents), _dense(hidden, latents)
    below = _dense(hidden, len(cells))
    sample = mean + tf.exp(log_var / 2) * noise
    # below[cell] * noise[column of the cell], added up in the cell's row
    to_rows = np.array([[row == r for r in range(latents)] for row, _ in cells], np.float32)
    sample += tf.matmul(below * tf.gather(noise, [c for _, c in cells], axis=1), to_rows)
    kl = tf.reduce_sum(tf.square(mean) + tf.exp(log_var) - log_var - 1)
    return sample, 0.5 * (kl + tf.reduce_sum(tf.square(below)))
