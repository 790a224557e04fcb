# SPDX-License-Identifier: Apache-2.0
"""What a training run has in its TensorFlow graph: many steps in one session call."""
