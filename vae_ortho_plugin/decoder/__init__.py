# SPDX-License-Identifier: Apache-2.0
"""A trained model: opening it, its Jacobians, the measures of it as dlib metrics and as trackers."""

# Points that are coded or differentiated at a time.
BATCH_SIZE = 256
