# SPDX-License-Identifier: Apache-2.0
"""A decoder of TensorFlow 2's tensors, such as a Keras model."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v2 as tf

from vae_ortho_plugin.decoder.forward_mode import forward_jacobian
from vae_ortho_plugin.decoder.frameworks import named, packages_of
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import small_jacobians


class TensorflowDecoder:
    """A Keras model, which is called with training=False, or a function of tensors [points, latents].

    It gets tensors of the means' type if these are one of real numbers, else of its weights' type or float32.
    """

    def __init__(self, decoder: Callable, means: Any):
        takes_mode = "training" in inspect.signature(getattr(decoder, "call", decoder)).parameters
        keras = "keras" in packages_of(decoder)
        self._mode = {"training": False} if takes_mode or keras else {}
        self._decoder = decoder
        self._dtype = tf.float32
        if tf.is_tensor(means) and means.dtype.is_floating:
            self._dtype = means.dtype
        elif weights := getattr(decoder, "weights", None):
            self._dtype = tf.as_dtype(weights[0].dtype)
        self._transposed = tf.function(self._all_columns)

    def outputs(self, latents: np.ndarray) -> np.ndarray:
        return np.asarray(self._call(tf.constant(latents, self._dtype)), np.float64)

    def jacobians(self, latents: np.ndarray) -> np.ndarray:
        try:
            return self._transposed(tf.constant(latents, self._dtype)).numpy().swapaxes(1, 2)
        except Exception as error:
            # AutoGraph, which converts the decoder, raises an error of its own for an InputError.
            if isinstance(error.__context__, InputError):
                raise InputError(str(error.__context__)) from error
            raise

    def factors(self, latents: np.ndarray, first_point: int) -> np.ndarray:
        return small_jacobians(self.jacobians(latents), first_point=first_point)

    def _all_columns(self, latents: tf.Tensor) -> tf.Tensor:
        return forward_jacobian(self._call(latents), latents)

    def _call(self, latents: tf.Tensor) -> tf.Tensor:
        failed = f"decoder fails for latents of the shape {tuple(latents.shape)}"
        with named(failed, tf.errors.InvalidArgumentError):
            outputs = self._decoder(latents, **self._mode)
        if not tf.is_tensor(outputs):
            raise InputError(f"decoder must return a tensor; got {type(outputs).__name__}.")
        return outputs
