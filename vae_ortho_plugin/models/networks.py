# SPDX-License-Identifier: Apache-2.0
"""Fully connected encoder and decoder of any depth.

For dlib's gin parameters encoder.encoder_fn and decoder.decoder_fn.
"""

from collections.abc import Callable, Sequence

import gin
import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError, check_one_of

_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.nn.tanh, "sigmoid": tf.nn.sigmoid}
_INITIAL_WEIGHTS = ("glorot", "fan_in")


@gin.configurable("mlp_encoder", denylist=["input_tensor", "num_latent", "is_training"])
def mlp_encoder(
    input_tensor: tf.Tensor,
    num_latent: int,
    is_training: bool = True,
    layers: Sequence[int] = (400,),
    activation: str = "relu",
    initial_weights: str = "fan_in",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Hidden layers, then one linear layer for the means and one for the log variances.

    All layers have biases.

    Args:
        input_tensor: observations [batch, *observation_shape].
        num_latent: number of latents.
        is_training: unused; dlib passes it.
        layers: widths of the hidden layers; an empty list makes the encoder affine.
        activation: 'relu', 'tanh' or 'sigmoid', after each hidden layer.
        initial_weights: 'fan_in' (weights and biases uniform in ±1/sqrt(inputs of the layer)) or
            'glorot' (Glorot uniform, biases zero: dlib's own networks).

    Returns:
        Means and log variances, [batch, num_latent] each.

    Raises:
        InputError: unknown activation or initial_weights, or a width that is not a positive
            integer.
    """
    del is_training
    dense = _dense("mlp_encoder", initial_weights)
    hidden = tf.layers.flatten(input_tensor)
    hidden = _hidden_layers("mlp_encoder", hidden, layers, activation, dense)
    return dense(hidden, num_latent, name="means"), dense(hidden, num_latent, name="log_var")


@gin.configurable("mlp_decoder", denylist=["latent_tensor", "output_shape", "is_training"])
def mlp_decoder(
    latent_tensor: tf.Tensor,
    output_shape: Sequence[int],
    is_training: bool = True,
    layers: Sequence[int] = (500, 500),
    activation: str = "tanh",
    initial_weights: str = "fan_in",
) -> tf.Tensor:
    """Hidden layers, then a linear layer with one output per entry of the observation.

    All layers have biases. The loss applies the output activation.

    Args:
        latent_tensor: latents [batch, num_latent].
        output_shape: shape of an observation.
        is_training, layers, activation, initial_weights: as of `mlp_encoder`.

    Returns:
        Observations before the output activation, [batch, *output_shape].

    Raises:
        InputError: as `mlp_encoder`.
    """
    del is_training
    dense = _dense("mlp_decoder", initial_weights)
    hidden = _hidden_layers("mlp_decoder", latent_tensor, layers, activation, dense)
    output = dense(hidden, int(np.prod(output_shape)), name="output")
    return tf.reshape(output, [-1, *output_shape])


def _hidden_layers(
    name: str, tensor: tf.Tensor, widths: Sequence[int], activation: str, dense: Callable
) -> tf.Tensor:
    check_one_of(f"{name}.activation", activation, _ACTIVATIONS)
    for number, width in enumerate(widths, 1):
        if not isinstance(width, int) or width < 1:
            raise InputError(
                f"{name}.layers = {list(widths)}: each width must be a positive integer."
            )
        tensor = dense(tensor, width, activation=_ACTIVATIONS[activation], name=f"hidden{number}")
    return tensor


def _dense(name: str, initial_weights: str) -> Callable[..., tf.Tensor]:
    """tf.layers.dense with these initial weights."""
    check_one_of(f"{name}.initial_weights", initial_weights, _INITIAL_WEIGHTS)
    if initial_weights == "glorot":
        return tf.layers.dense

    def dense(tensor: tf.Tensor, units: int, **kwargs) -> tf.Tensor:
        limit = 1 / np.sqrt(int(tensor.shape[-1]))
        uniform = tf.random_uniform_initializer(-limit, limit)
        return tf.layers.dense(
            tensor, units, kernel_initializer=uniform, bias_initializer=uniform, **kwargs
        )

    return dense
