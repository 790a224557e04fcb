# SPDX-License-Identifier: Apache-2.0
"""What the measures share: arguments as checked arrays, small matrices in place of Jacobians, results."""
