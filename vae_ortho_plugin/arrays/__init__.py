# SPDX-License-Identifier: Apache-2.0
"""dlib's metrics and the plugin's on bare arrays of means, factors and Jacobians, or on trained models."""
