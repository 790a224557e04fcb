# SPDX-License-Identifier: Apache-2.0
"""Lets an old NumPy read what a new one has pickled: the metadata of the rendered stand-in for dSprites."""

import sys

import numpy as np

if not hasattr(np, "_core"):
    sys.modules["numpy._core"] = np.core
    sys.modules["numpy._core.multiarray"] = np.core.multiarray
