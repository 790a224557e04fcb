# SPDX-License-Identifier: Apache-2.0
"""A decoder of JAX's arrays."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vae_ortho_plugin.decoder.frameworks import named, packages_of
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import factors_of_gram, small_jacobians


class JaxDecoder:
    """A function of JAX's arrays [points, latents], compiled once.

    Args:
        decoder: a Keras model on JAX is called with training=False.
        means: where they are floating-point JAX arrays, the decoder gets their type; else float32, or float64 with
            jax_enable_x64.
    """

    def __init__(self, decoder: Callable, means: Any):
        keras = "keras" in packages_of(decoder)
        self._decoder = (lambda latents: decoder(latents, training=False)) if keras else decoder
        self._dtype = jnp.zeros(()).dtype
        if isinstance(means, jax.Array) and jnp.issubdtype(means.dtype, jnp.floating):
            self._dtype = means.dtype
        self._compiled: dict[tuple[int, ...], Callable[[jax.Array], jax.Array]] = {}

    def outputs(self, latents: np.ndarray) -> np.ndarray:
        return np.asarray(self._call(jnp.asarray(latents, self._dtype)), np.float64)

    def jacobians(self, latents: np.ndarray) -> np.ndarray:
        columns = np.asarray(self._columns(latents))
        if columns.dtype.kind != "f":  # bfloat16
            columns = columns.astype(np.float32)
        return columns.transpose(1, 2, 0)

    def factors(self, latents: np.ndarray, first_point: int) -> np.ndarray:
        columns = self._columns(latents)
        if all(device.platform == "cpu" for device in columns.devices()):
            return small_jacobians(np.asarray(columns).transpose(1, 2, 0), first_point=first_point)
        return self._factors_there(columns, first_point)

    @staticmethod
    def _factors_there(columns: jax.Array, first_point: int) -> np.ndarray:
        """`factors` where copying the Jacobians to the CPU would take longer than their Gram matrices."""
        with jax.enable_x64(True):
            doubles = columns.astype(jnp.float64)
            gram = np.array(jnp.einsum("ipo,jpo->pij", doubles, doubles))
        return factors_of_gram(
            gram, lambda points: np.asarray(columns[:, points]).transpose(1, 2, 0), first_point
        )

    def _columns(self, latents: np.ndarray) -> jax.Array:
        """d output / d latent, [latents, points, outputs]; compiled once for each shape."""
        given = jnp.asarray(latents, self._dtype)
        if given.shape not in self._compiled:
            # XLA takes some times as long to compile a program that holds the decoder's weights as constants.
            traced = jax.make_jaxpr(self._all_columns)(given)
            program = jax.jit(functools.partial(jax.core.eval_jaxpr, traced.jaxpr))
            self._compiled[given.shape] = lambda points: program(traced.consts, points)[0]
        return self._compiled[given.shape](given)

    def _all_columns(self, latents: jax.Array) -> jax.Array:
        def flat(points: jax.Array) -> jax.Array:
            return self._call(points).reshape(len(points), -1)

        def column(direction: jax.Array) -> jax.Array:
            tangents = jnp.broadcast_to(direction, latents.shape)
            return jax.jvp(flat, (latents,), (tangents,))[1]

        return jax.vmap(column)(jnp.eye(latents.shape[1], dtype=latents.dtype))

    def _call(self, latents: jax.Array) -> jax.Array:
        with named(
            f"decoder fails for JAX's arrays of the shape {latents.shape} (give means as tensors of the "
            "decoder's framework, if it is another)"
        ):
            outputs = self._decoder(latents)
        if not isinstance(outputs, jax.Array):
            raise InputError(f"decoder must return an array; got {type(outputs).__name__}.")
        return outputs
