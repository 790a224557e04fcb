# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_evaluate: dlib's metrics and the plugin's on bare arrays of latents, factors and Jacobians.

`command` is the command line, `reading` reads and checks the arrays, `point_table` is a data set of dlib over
them, `dlib_metrics` runs dlib's metrics on it, and `jacobian_measures` runs the measures of Jacobians.
"""
