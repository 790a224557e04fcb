# SPDX-License-Identifier: Apache-2.0
"""The paper's measures as functions of NumPy arrays."""
