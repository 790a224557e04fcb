# SPDX-License-Identifier: Apache-2.0
"""JAX as its users write it: data in memory, whole stretches of steps in one compiled scan; jacfwd, vmap, jit."""

import functools
import itertools
import time
from importlib.metadata import version

import answers
import jax
import jax.numpy as jnp
import numpy as np
import optax

OPTIMIZERS = {
    "AdamOptimizer": optax.adam,
    "AdagradOptimizer": functools.partial(optax.adagrad, initial_accumulator_value=0.1),
}
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def losses_of(network, linearized):
    """The losses of a batch: sampled (reconstruction, KL), and what is trained."""
    beta, latents = network["beta"], network["latents"]
    decoder_activation = ACTIVATIONS[network["decoder_activation"]]
    number_encoder = len(network["encoder"]) + 2

    def encode(weights, hidden):
        *layers, mean, log_var = weights[:number_encoder]
        for kernel, bias in layers:
            hidden = ACTIVATIONS[network["encoder_activation"]](hidden @ kernel + bias)
        return hidden @ mean[0] + mean[1], hidden @ log_var[0] + log_var[1]

    def decode(weights, hidden):
        *layers, (kernel, bias) = weights[number_encoder:]
        for matrix, offset in layers:
            hidden = decoder_activation(hidden @ matrix + offset)
        return hidden @ kernel + bias

    def reconstruction(output, batch):
        if network["loss"] == "squared":
            return jnp.sum(jnp.square(output - batch)) / len(batch)
        return jnp.sum(optax.sigmoid_binary_cross_entropy(output, batch)) / len(batch)

    def losses(weights, batch, noise):
        mean, log_var = encode(weights, batch)
        kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - log_var - 1) / len(batch)
        output = decode(weights, mean + jnp.exp(log_var / 2) * noise)
        return reconstruction(output, batch), kl

    def linearized_loss(weights, batch):
        """rec(μ) + β/2 ‖μ‖² + β/2 [log det P + λ (Σ_j log P_jj − log det P)], P = I + C/β; Bernoulli loss."""
        mean, _ = encode(weights, batch)
        output = decode(weights, mean)
        jacobian = jax.vmap(jax.jacfwd(functools.partial(decode, weights)))(mean)
        curvature = jax.nn.sigmoid(output) * jax.nn.sigmoid(-output)
        relative = jnp.einsum("bij,bi,bik->bjk", jacobian, curvature, jacobian) / beta
        log_det = jnp.linalg.slogdet(jnp.eye(latents) + relative)[1]
        diagonal = jnp.log1p(jnp.diagonal(relative, axis1=1, axis2=2)).sum(1)
        penalty = jnp.sum(mean**2, 1) + log_det + linearized * (diagonal - log_det)
        return reconstruction(output, batch) + beta / 2 * jnp.mean(penalty)

    def loss(weights, batch, noise):
        if linearized is not None:
            return linearized_loss(weights, batch)
        error, kl = losses(weights, batch, noise)
        return error + beta * kl

    return losses, loss


def train(network, points, scale, batch_size, chunk, seed=0, variant="ahead", linearized=None, **_):
    """Training in scans of `chunk` steps, which get the data as an argument: a constant would be in the program, too.

    Args:
        variant: 'ahead': batches and noise are drawn before a scan; 'in each step': where they are used.
    """
    observations = np.load(points, mmap_mode="r")
    data = jnp.asarray(observations.reshape(len(observations), -1))
    beta, latents = network["beta"], network["latents"]
    losses, loss = losses_of(network, linearized)

    def draw(key, shape=()):
        rows, noise = jax.random.split(key)
        return (
            jax.random.randint(rows, (*shape, batch_size), 0, len(observations)),
            jax.random.normal(noise, (*shape, batch_size, latents)),
        )

    def step(data, carry, drawn):
        weights, state, key = carry
        if drawn is None:
            key, this = jax.random.split(key)
            drawn = draw(this)
        rows, noise = drawn
        gradients = jax.grad(loss)(weights, data[rows].astype(jnp.float32) * scale, noise)
        updates, state = optimizer.update(gradients, state, weights)
        return (optax.apply_updates(weights, updates), state, key), None

    @functools.partial(jax.jit, donate_argnums=0)
    def advance(carry, data):
        *state, key = carry
        key, this = jax.random.split(key)
        drawn = draw(this, (chunk,)) if variant == "ahead" else None
        return jax.lax.scan(functools.partial(step, data), (*state, key), drawn, length=chunk)[0]

    @jax.jit
    def evaluate(weights, key, data):
        rows, noise = draw(key)
        return losses(weights, data[rows].astype(jnp.float32) * scale, noise)

    optimizer = OPTIMIZERS[network["optimizer"]](network["learning_rate"])
    random = np.random.default_rng(seed)
    encoder = [data.shape[1], *network["encoder"]]
    decoder = [latents, *network["decoder"], data.shape[1]]
    shapes = [*itertools.pairwise(encoder), *[(encoder[-1], latents)] * 2]
    weights = [layer(random, *shape) for shape in [*shapes, *itertools.pairwise(decoder)]]
    carry = weights, optimizer.init(weights), jax.random.key(seed)

    def run(steps):
        nonlocal carry
        calls = max(1, round(steps / chunk))
        started = time.perf_counter()
        for _ in range(calls):
            carry = advance(carry, data)
        jax.block_until_ready(carry)
        return (time.perf_counter() - started) * steps / (calls * chunk)

    def check(steps):
        run(steps)
        keys = jax.random.split(jax.random.key(seed + 1000), 1000)
        error, kl = np.mean([evaluate(carry[0], key, data) for key in keys], axis=0)
        return answers.losses(float(error), float(kl), beta)

    run.check = check
    return run


def layer(random, inputs, outputs):
    """(kernel, bias), uniform within inputs^-1/2."""
    bound = inputs**-0.5
    kernel = random.uniform(-bound, bound, (inputs, outputs))
    bias = random.uniform(-bound, bound, outputs)
    return jnp.asarray(kernel, jnp.float32), jnp.asarray(bias, jnp.float32)


def dto(widths, by=None, **_):
    """DtO of a decoder of tanh layers and a sigmoid output, untrained; by the plugin, if `by` says so."""
    random = np.random.default_rng(0)
    weights = [layer(random, *pair) for pair in itertools.pairwise(widths)]

    def decode(hidden):
        *layers, (kernel, bias) = weights
        for matrix, offset in layers:
            hidden = jnp.tanh(hidden @ matrix + offset)
        return jax.nn.sigmoid(hidden @ kernel + bias)

    if by == "decoder_measures":
        from vae_ortho_plugin import decoder_measures

        def by_plugin(count):
            decoder_measures(decode, random.normal(size=(count, widths[0])))

        return by_plugin
    jacobian = jax.jit(jax.vmap(jax.jacfwd(decode)))

    def run(count):
        # Whole batches, so that nothing is compiled again.
        calls, started = -(-count // 256), time.perf_counter()
        for _ in range(calls):
            points = random.normal(size=(256, widths[0])).astype(np.float32)
            answers.distances(np.asarray(jacobian(points)))
        return (time.perf_counter() - started) * count / (calls * 256)

    run(1)
    return run


def products(**_):
    """Products of float32 matrices."""
    rows = jnp.ones((answers.PRODUCT_ROWS, answers.PRODUCT_WIDTH))
    weights = jnp.eye(answers.PRODUCT_WIDTH) * 0.5 + 1e-3
    chain = jax.jit(
        lambda result, count: jax.lax.fori_loop(0, count, lambda _, r: r @ weights, result)
    )
    return lambda count: chain(rows, count).block_until_ready() is None or None


if __name__ == "__main__":
    answers.need_gpu(jax.default_backend() == "gpu")
    answers.serve({"train": train, "dto": dto, "products": products}, {"jax": version("jax")})
