# SPDX-License-Identifier: Apache-2.0
"""What the tests of dlib's steps share: the hook, and gin without a configuration."""

from training_fixtures import fresh_gin  # noqa: F401

import vae_ortho_plugin  # noqa: F401  dlib finds what TensorFlow no longer has under its hook only
