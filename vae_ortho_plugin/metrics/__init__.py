# SPDX-License-Identifier: Apache-2.0
"""Distance to orthogonality and disentanglement score.

`dto` and `disentanglement_score` are functions of NumPy arrays and need no TensorFlow; `model`
takes Jacobians of a trained model, and `gin_metrics` makes both metrics of disentanglement_lib.
"""
