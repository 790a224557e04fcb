# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation of a model on this machine, with many steps in each session call.

estimator, training_run                what dlib calls: TPUEstimator; a training run and its session calls
in_graph/                              what the session calls run
checkpoints, interruption              how a training run ends early and continues
tracker, training_log, progress        what is measured while a model trains, and what is said of it
settings, threads, memory, xla_cache   how fast it runs
graphs                                 TensorFlow 1's settings while a graph is built
"""
