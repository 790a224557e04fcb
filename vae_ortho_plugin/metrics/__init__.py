# SPDX-License-Identifier: Apache-2.0
"""What the paper measures of a trained model, and how close the model is to the paper's optimum.

`dto`, `disentanglement_score`, `loss_decomposition`, `precision_gap` and `pca_alignment` are functions of
NumPy arrays and need no TensorFlow; `model` takes Jacobians of a trained model, and `gin_metrics` and
`gin_theory` make metrics of disentanglement_lib of them all.
"""
