# SPDX-License-Identifier: Apache-2.0
"""From a decoder's output to the image, by the names in reconstruction_loss.activation.

They are the names of dlib's reconstruction losses, and 'linear' for data that are no images.
"""

import tensorflow.compat.v1 as tf

ACTIVATIONS = {
    "linear": tf.identity,
    "logits": tf.sigmoid,
    "tanh": lambda raw: tf.tanh(raw) / 2 + 0.5,
}
KNOWN = ", ".join(map(repr, ACTIVATIONS))
