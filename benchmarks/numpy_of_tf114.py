# SPDX-License-Identifier: Apache-2.0
"""Lets an old NumPy read the metadata of the rendered stand-in for dSprites, which a new NumPy has pickled."""

import sys

import numpy as np

if not hasattr(np, "_core"):
    sys.modules["numpy._core"] = np.core
    sys.modules["numpy._core.multiarray"] = np.core.multiarray
