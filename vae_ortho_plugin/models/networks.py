# SPDX-License-Identifier: Apache-2.0
"""Fully connected and convolutional encoders and decoders of any depth.

For dlib's gin parameters encoder.encoder_fn and decoder.decoder_fn.
"""

from collections.abc import Callable, Sequence

import gin
import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError, check_one_of, check_whole

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
        InputError: unknown activation or initial_weights, or a width that is not a positive integer.
    """
    settings = "mlp_encoder", layers, activation, initial_weights
    hidden, dense = _hidden_layers(tf.layers.flatten(input_tensor), *settings)
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
    settings = "mlp_decoder", layers, activation, initial_weights
    hidden, dense = _hidden_layers(latent_tensor, *settings)
    output = dense(hidden, int(np.prod(output_shape)), name="output")
    return tf.reshape(output, [-1, *output_shape])


@gin.configurable("convolutional_encoder", denylist=["input_tensor", "num_latent", "is_training"])
def convolutional_encoder(
    input_tensor: tf.Tensor,
    num_latent: int,
    is_training: bool = True,
    layers: Sequence[Sequence[int]] = ((32, 4, 2), (32, 4, 2), (64, 4, 2), (64, 4, 2)),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Convolutions, each with a ReLU, then one linear layer for the means and one for the log variances.

    Initial weights are those of dlib's own networks: Glorot uniform, biases zero.

    Args:
        input_tensor: images [batch, height, width, channels].
        num_latent, is_training: as of `mlp_encoder`.
        layers: channels, side of the kernel and stride of each convolution; a side of an image becomes
            side / stride, rounded up.

    Returns:
        Means and log variances, [batch, num_latent] each.

    Raises:
        InputError: a layer is not three positive integers.
    """
    _check_convolutions("convolutional_encoder", layers)
    hidden = input_tensor
    for number, (channels, kernel, stride) in enumerate(layers, 1):
        hidden = tf.layers.conv2d(
            hidden, channels, kernel, stride, "same", activation=tf.nn.relu, name=f"hidden{number}"
        )
    hidden = tf.layers.flatten(hidden)
    means = tf.layers.dense(hidden, num_latent, name="means")
    return means, tf.layers.dense(hidden, num_latent, name="log_var")


@gin.configurable(
    "convolutional_decoder", denylist=["latent_tensor", "output_shape", "is_training"]
)
def convolutional_decoder(
    latent_tensor: tf.Tensor,
    output_shape: Sequence[int],
    is_training: bool = True,
    hidden: int = 64,
    layers: Sequence[Sequence[int]] = ((64, 4, 2), (32, 4, 2), (32, 4, 2), (3, 4, 2)),
) -> tf.Tensor:
    """A fully connected layer, which becomes a small image, then transposed convolutions.

    Each layer but the last has a ReLU; the loss applies the output activation. Initial weights are those of
    dlib's own networks: Glorot uniform, biases zero.

    Args:
        latent_tensor, is_training: as of `mlp_decoder`.
        output_shape: [height, width, channels] of an observation.
        hidden: width of the fully connected layer, a multiple of the number of pixels of the small image,
            which has the sides height and width / product of the strides.
        layers: channels, side of the kernel and stride of each transposed convolution; the last one has as
            many channels as an observation.

    Returns:
        Observations before the output activation, [batch, *output_shape].

    Raises:
        InputError: a layer is not three positive integers, or the layers do not end in an observation.
    """
    name = "convolutional_decoder"
    _check_convolutions(name, layers)
    height, width, channels = output_shape
    stride = int(np.prod([layer[2] for layer in layers]))
    if not layers or layers[-1][0] != channels or height % stride or width % stride:
        raise InputError(
            f"{name}.layers = {layers!r} cannot end in observations of the shape {list(output_shape)}: "
            f"the last layer needs {channels} channels, and the sides must be multiples of the product of "
            f"the strides, {stride}."
        )
    check_whole(f"{name}.hidden", hidden, at_least=1)
    start = height // stride, width // stride
    if hidden % (start[0] * start[1]):
        raise InputError(
            f"{name}.hidden = {hidden} must be a multiple of {start[0] * start[1]}: with these strides, the "
            f"image begins as {start[0]} x {start[1]} pixels."
        )
    image = tf.layers.dense(latent_tensor, hidden, activation=tf.nn.relu, name="hidden")
    image = tf.reshape(image, [-1, *start, hidden // (start[0] * start[1])])
    for number, (features, kernel, step) in enumerate(layers, 1):
        activation = tf.nn.relu if number < len(layers) else None
        image = tf.layers.conv2d_transpose(
            image, features, kernel, step, "same", activation=activation, name=f"layer{number}"
        )
    return image


def _are_positive(sizes: object) -> bool:
    """Whether these are positive integers."""
    return isinstance(sizes, Sequence) and all(isinstance(n, int) and n > 0 for n in sizes)


def _check_convolutions(name: str, layers: Sequence[Sequence[int]]) -> None:
    listed = isinstance(layers, Sequence)
    if not listed or not all(_are_positive(layer) and len(layer) == 3 for layer in layers):
        raise InputError(
            f"{name}.layers = {layers!r}: each layer must be three positive integers, its channels, the "
            "side of its kernel and its stride, such as [[32, 4, 2], [64, 4, 2]]."
        )


def _hidden_layers(
    tensor: tf.Tensor, name: str, widths: Sequence[int], activation: str, initial_weights: str
) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    """The last hidden layer, and tf.layers.dense with these initial weights."""
    check_one_of(f"{name}.initial_weights", initial_weights, _INITIAL_WEIGHTS)
    check_one_of(f"{name}.activation", activation, _ACTIVATIONS)

    def dense(tensor: tf.Tensor, units: int, **kwargs) -> tf.Tensor:
        if initial_weights == "fan_in":
            limit = 1 / np.sqrt(int(tensor.shape[-1]))
            uniform = tf.random_uniform_initializer(-limit, limit)
            kwargs |= {"kernel_initializer": uniform, "bias_initializer": uniform}
        return tf.layers.dense(tensor, units, **kwargs)

    if not _are_positive(widths):
        raise InputError(f"{name}.layers = {widths!r}: it must be a list of positive integers.")
    for number, width in enumerate(widths, 1):
        tensor = dense(tensor, width, activation=_ACTIVATIONS[activation], name=f"hidden{number}")
    return tensor, dense
