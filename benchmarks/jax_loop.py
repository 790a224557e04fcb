# SPDX-License-Identifier: Apache-2.0
"""The same training in JAX, as its users write it: data in memory, whole stretches of steps in one compiled scan."""

import functools
import itertools
import math
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tensorflow.compat.v1 as tf

from benchmarks.bare_loop import Architecture, Conv

_ACTIVATIONS = {tf.tanh: jnp.tanh, tf.nn.relu: jax.nn.relu}
_OPTIMIZERS = {
    tf.train.AdamOptimizer: optax.adam,
    tf.train.AdagradOptimizer: functools.partial(optax.adagrad, initial_accumulator_value=0.1),
}


class _State(NamedTuple):
    weights: list
    optimizer: optax.OptState
    key: jax.Array


class JaxLoop:
    """Trains: call it with a number of steps; it returns the seconds that they took.

    Args:
        architecture: of the network; dense layers and a diagonal covariance only.
        observations: [points, height, width, channels], uint8 or float32.
        scale: what an observation is multiplied by.
        batch_size: of a step.
        steps: number of steps of a scan.
        ahead: whether batches and noise are drawn before the scan, and not in each step.
    """

    def __init__(
        self,
        architecture: Architecture,
        observations: np.ndarray,
        scale: float,
        batch_size: int,
        steps: int,
        ahead: bool,
    ):
        if architecture.full_covariance or any(
            isinstance(layer, Conv) for layer in (*architecture.encoder, *architecture.decoder)
        ):
            raise ValueError("only dense layers and a diagonal covariance are written in JAX here")
        points = len(observations)
        data = jnp.asarray(observations.reshape(points, -1))
        self._steps = steps
        optimizer = _OPTIMIZERS[architecture.optimizer.func](*architecture.optimizer.args)
        weights = _weights(architecture, data.shape[1])
        self._state = _State(weights, optimizer.init(weights), jax.random.key(0))

        def draw(key, shape=()):
            rows, noise = jax.random.split(key)
            return (
                jax.random.randint(rows, (*shape, batch_size), 0, points),
                jax.random.normal(noise, (*shape, batch_size, architecture.latents)),
            )

        def step(carry, drawn):
            weights, state, key = carry
            if not ahead:
                key, this = jax.random.split(key)
                drawn = draw(this)
            rows, noise = drawn
            batch = data[rows].astype(jnp.float32) * scale
            gradients = jax.grad(_loss)(weights, architecture, batch, noise)
            updates, state = optimizer.update(gradients, state, weights)
            return (optax.apply_updates(weights, updates), state, key), None

        @functools.partial(jax.jit, donate_argnums=0)
        def train(state: _State) -> _State:
            key, this = jax.random.split(state.key)
            drawn = draw(this, (steps,)) if ahead else None
            carry = (state.weights, state.optimizer, key)
            carry, _ = jax.lax.scan(step, carry, drawn, length=steps)
            return _State(*carry)

        self._train = train

    def __call__(self, steps: int) -> float:
        calls = max(1, round(steps / self._steps))
        start = time.perf_counter()
        for _ in range(calls):
            self._state = self._train(self._state)
        jax.block_until_ready(self._state.weights)
        return (time.perf_counter() - start) * steps / (calls * self._steps)


def _weights(architecture: Architecture, inputs: int) -> list:
    """(weights, biases) of each layer: the encoder's, mean, log variance, the decoder's, output."""
    latents, random = architecture.latents, np.random.default_rng(0)
    encoder = [inputs, *architecture.encoder]
    decoder = [latents, *architecture.decoder, inputs]
    shapes = [*itertools.pairwise(encoder)]
    shapes += [(encoder[-1], latents), (encoder[-1], latents)]
    shapes += [*itertools.pairwise(decoder)]
    return [
        (
            jnp.asarray(random.normal(size=shape) / math.sqrt(shape[0]), jnp.float32),
            jnp.zeros(shape[1]),
        )
        for shape in shapes
    ]


def _loss(weights, architecture: Architecture, batch, noise):
    layers = iter(weights)

    def dense(values):
        kernel, bias = next(layers)
        return values @ kernel + bias

    hidden = batch
    for _ in architecture.encoder:
        hidden = _ACTIVATIONS[architecture.encoder_activation](dense(hidden))
    mean, log_var = dense(hidden), dense(hidden)
    kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - log_var - 1)
    hidden = mean + jnp.exp(log_var / 2) * noise
    for _ in architecture.decoder:
        hidden = _ACTIVATIONS[architecture.decoder_activation](dense(hidden))
    output = dense(hidden)
    if architecture.loss == "squared":
        errors = jnp.square(output - batch)
    else:
        errors = optax.sigmoid_binary_cross_entropy(output, batch)
    return (jnp.sum(errors) + architecture.beta * kl) / len(batch)
