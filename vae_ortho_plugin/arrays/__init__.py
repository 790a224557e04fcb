# SPDX-License-Identifier: Apache-2.0
"""dlib's metrics and the plugin's on bare arrays of means, factors and Jacobians, or on trained models.

`evaluation` is the call, `command` the command line, which reads files with `reading`. `given_arrays` checks the
arrays, `point_table` is a data set of dlib over them, `dlib_metrics` runs dlib's metrics on it,
`jacobian_measures` those of Jacobians, and `trained_models` evaluates directories.
"""
