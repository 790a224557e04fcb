# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation of a model on this machine, many steps inside the graph in each session call."""
