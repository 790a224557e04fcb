# SPDX-License-Identifier: Apache-2.0
"""Lets the unmodified disentanglement_lib 1.5 run on current TensorFlow and Python.

`hook` acts when `disentanglement_lib` is imported, and only then: it installs the `stand_ins` of what
TensorFlow, gin, NumPy and Python removed since 2020, and applies `patches` to some of dlib's modules
after their import; `steps` holds what happens around dlib's own steps. This package joins the others:
it may import every one of them, and `arrays` alone imports it.
"""
