# SPDX-License-Identifier: Apache-2.0
"""A trained model: opening it, its Jacobians, the measures of it as dlib metrics and as trackers."""
