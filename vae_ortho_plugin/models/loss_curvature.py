# SPDX-License-Identifier: Apache-2.0
"""What noise in the latents costs: the second derivative of the reconstruction loss, in closed form."""

import copy
from collections.abc import Callable

import gin
import numpy as np
import tensorflow.compat.v1 as tf
from disentanglement_lib.methods.shared import losses as dlib_losses

from vae_ortho_plugin.decoder.forward_mode import configured_activation, forward_jacobian
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.models import losses


def loss_curvature(raw: tf.Tensor, latents: tf.Tensor) -> tf.Tensor:
    """C = Jᵀ diag(h) J: noise ε in the latents adds ½ E εᵀ C ε to the reconstruction loss.

    J is the Jacobian of the decoder's output before its activation, h the second derivative of the
    configured reconstruction loss, summed over the observation, by that output. For the squared error of
    a linear output h = 2, so that C = 2 JᵀJ. For the Bernoulli loss of logits h = p(1 − p). Where the
    activation of a squared error is not linear, h is that of Gauss and Newton, 2 (d image / d raw)².

    Args:
        raw: the decoder's output before its activation, [points, ...].
        latents: what it was decoded from, [points, latents].

    Returns:
        [points, latents, latents] in float64: with passive latents, C is lost in float32 next to the
        curvature of active ones.

    Raises:
        InputError: the configured loss has no such closed form, or the decoder no derivative.
    """
    curvature = _output_curvature()(raw)
    try:
        columns = tf.cast(forward_jacobian(raw, latents, to_train=True), tf.float64)
    except InputError as error:
        decoder = _bound("decoder.decoder_fn").__name__
        raise InputError(
            f"The loss needs the decoder's derivative, and decoder.decoder_fn = @{decoder} has none: "
            f"{error}"
        ) from error
    weights = tf.reshape(tf.cast(curvature, tf.float64), [tf.shape(columns)[0], 1, -1])
    return tf.matmul(columns * weights, columns, transpose_b=True)


def _sigmoid_slope(tensor: tf.Tensor) -> tf.Tensor:
    return tf.sigmoid(tensor) * tf.sigmoid(-tensor)


# The activation 'tanh' is tanh(raw)/2 + ½ = sigmoid(2 raw).
_OF_SQUARED_ERROR = {
    "linear": lambda raw: 2 * tf.ones_like(raw),
    "logits": lambda raw: 2 * tf.square(_sigmoid_slope(raw)),
    "tanh": lambda raw: 2 * tf.square(2 * _sigmoid_slope(2 * raw)),
}
_OF_BERNOULLI = {
    "logits": _sigmoid_slope,
    "tanh": lambda raw: 4 * _sigmoid_slope(2 * raw),
}
_COVERED = {
    losses.squared_error: _OF_SQUARED_ERROR,
    dlib_losses.l2_loss: _OF_SQUARED_ERROR,
    dlib_losses.bernoulli_loss: _OF_BERNOULLI,
}


def _by_probability(images: np.ndarray) -> np.ndarray:
    variance = images.astype(np.float64) * (1 - images.astype(np.float64))
    # Where it is rounded to 0, the image's Jacobian is 0, too.
    return np.divide(1, variance, out=np.zeros_like(variance), where=variance > 0)


# By the name of a loss in gin: its second derivative by the image (after the activation), as a function of that;
# None where it is 2, that of the squared error. Of Gauss and Newton, as above.
BY_IMAGE: dict[str, Callable[[np.ndarray], np.ndarray] | None] = {
    losses.squared_error.__name__: None,
    dlib_losses.l2_loss.__name__: None,
    dlib_losses.bernoulli_loss.__name__: _by_probability,
}


def _output_curvature() -> Callable[[tf.Tensor], tf.Tensor]:
    """h as a function of the decoder's output, by the loss and the activation that gin names."""
    activation = configured_activation()
    for covered, by_activation in _COVERED.items():
        if is_bound_loss(covered) and activation in by_activation:
            return by_activation[activation]
    loss = _bound("reconstruction_loss.loss_fn")
    raise InputError(
        "What the posterior's noise costs is not known in closed form for reconstruction_loss.loss_fn = "
        f"@{loss.__name__} with reconstruction_loss.activation = {activation!r}. Take @squared_error, "
        "@l2_loss, or @bernoulli_loss with 'logits' or 'tanh', or another model."
    )


def is_bound_loss(loss: Callable) -> bool:
    """Whether gin binds reconstruction_loss.loss_fn to this loss, also through a macro."""
    try:
        bound = _bound("reconstruction_loss.loss_fn")
    except ValueError:  # nothing is bound
        return False
    names = (getattr(bound, "__module__", None), getattr(bound, "__name__", None))
    return names == (loss.__module__, loss.__name__)


def _bound(parameter: str) -> Callable:
    """The function that gin binds to a parameter, also through a macro."""
    # gin resolves a reference when it is copied.
    return copy.deepcopy(gin.query_parameter(parameter))
