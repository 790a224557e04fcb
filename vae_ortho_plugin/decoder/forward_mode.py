# SPDX-License-Identifier: Apache-2.0
"""A decoder in TensorFlow's graph: its output activation, and its Jacobian in forward mode."""

import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError

# From a decoder's output to the image, by the names in reconstruction_loss.activation: those of dlib's reconstruction
# losses, and 'linear' for data that are no images.
ACTIVATIONS = {
    "linear": tf.identity,
    "logits": tf.sigmoid,
    "tanh": lambda raw: tf.tanh(raw) / 2 + 0.5,
}

# Products of more than three such blocks are made block by block. With AVX2, TensorFlow's own product of [256, 1200] and
# [1200, 4096] runs at half its speed: the rows of 16 KB fall into the same lines of the caches.
_COLUMNS_OF_A_BLOCK = 512
_MATMUL_IN_BLOCKS = "VaeOrthoMatMulInBlocks"


def configured_activation() -> str:
    """The name in gin's reconstruction_loss.activation."""
    # Late, because dlib's losses are a module that the hook may be importing.
    from disentanglement_lib.methods.shared import losses

    def name(true_images, reconstructed_images, activation):
        return activation

    return losses.make_reconstruction_loss(None, None, loss_fn=name)


def forward_jacobian(outputs: tf.Tensor, latents: tf.Tensor, to_train: bool = False) -> tf.Tensor:
    """d outputs / d latents in forward mode, transposed: [batch, latents, outputs].

    A decoder has few inputs and many outputs, so that one forward pass per latent is far cheaper than one
    backward pass per output. The passes share the activations of the outputs' own pass.

    Args:
        outputs: [batch, ...], each row a function of the same row of latents [batch, latents]. InputError if
            they have no derivative with respect to these.
        to_train: whether the result is part of a loss. Then one matrix product does the passes of all
            latents, which gives a weight one gradient instead of one per latent: on the MNIST network 13 %
            faster, with 8 points 50 %. Without gradients it takes longer and a third more memory.
    """
    # A Jacobian-vector product is the derivative of the vector-Jacobian product with respect to its
    # vector. The latter is linear in the vector, so its value does not matter and the backward pass never runs.
    vector = tf.zeros_like(outputs)
    # XLA, which compiles what is trained, multiplies in blocks by itself.
    own_gradients = {} if to_train else {"MatMul": _MATMUL_IN_BLOCKS}
    with tf.get_default_graph().gradient_override_map(own_gradients):
        product = _derivative(outputs, latents, vector)

    def column(direction: np.ndarray | tf.Tensor) -> tf.Tensor:
        directions = tf.zeros_like(latents) + direction
        return tf.reshape(_derivative(product, vector, directions), [tf.shape(latents)[0], -1])

    unit_vectors = np.eye(latents.shape[-1], dtype=latents.dtype.as_numpy_dtype)
    if to_train:
        return tf.transpose(tf.vectorized_map(column, tf.constant(unit_vectors)), [1, 0, 2])
    return tf.stack([column(direction) for direction in unit_vectors], axis=1)


@tf.RegisterGradient(_MATMUL_IN_BLOCKS)
def _matmul_gradient(op: tf.Operation, gradient: tf.Tensor) -> list[tf.Tensor]:
    """The gradient of a matrix product, in blocks of columns."""
    left, right = op.inputs
    transposed = op.get_attr("transpose_a"), op.get_attr("transpose_b")
    if transposed == (False, False):
        return [_product(gradient, right, False, True), _product(left, gradient, True, False)]
    if transposed == (False, True):
        return [_product(gradient, right, False, False), _product(gradient, left, True, False)]
    if transposed == (True, False):
        return [_product(right, gradient, False, True), _product(left, gradient, False, False)]
    return [_product(right, gradient, True, True), _product(gradient, left, True, True)]


def _product(
    left: tf.Tensor, right: tf.Tensor, transpose_left: bool, transpose_right: bool
) -> tf.Tensor:
    axis = 0 if transpose_right else 1
    columns = tf.dimension_value(right.shape[axis])
    if columns is None or columns <= 3 * _COLUMNS_OF_A_BLOCK:
        return tf.matmul(left, right, transpose_left, transpose_right)
    widths = [_COLUMNS_OF_A_BLOCK] * (columns // _COLUMNS_OF_A_BLOCK)
    if rest := columns % _COLUMNS_OF_A_BLOCK:
        widths.append(rest)
    blocks = tf.split(right, widths, axis)
    return tf.concat(
        [tf.matmul(left, block, transpose_left, transpose_right) for block in blocks], 1
    )


def _derivative(outputs: tf.Tensor, inputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The derivative of the sum of weights · outputs."""
    try:
        (derivative,) = tf.gradients(outputs, inputs, grad_ys=weights)
    except LookupError as error:
        raise InputError(f"TensorFlow has no derivative of {outputs.op.name}: {error}") from error
    if derivative is None:
        raise InputError(
            f"{outputs.op.name} has no derivative with respect to {inputs.op.name}: it does not depend on "
            "it, or only through operations such as rounding or stop_gradient."
        )
    return derivative
