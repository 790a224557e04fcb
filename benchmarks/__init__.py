# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: each figure measured beside its alternatives and its limit, in the same run.

`benchmarks/run.sh --help` says how to run them. `rows` lists them, one module a topic defines them, `framework`
measures one in alternation, `table` writes the results.
"""
