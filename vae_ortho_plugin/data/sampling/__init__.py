# SPDX-License-Identifier: Apache-2.0
"""What dlib and the training loop draw from a data set: splits, factors, observations in memory."""
