# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: each figure measured beside its alternatives and its limit, in the same run.

`benchmarks/run.sh --help` says how to run them. `rows` lists them, `run` measures them in alternation by the programs in
`peers/`, `table` writes the results.
"""
