# SPDX-License-Identifier: Apache-2.0
"""Makes the runs of a study on a cluster, by Snakemake.

launch.py   on the login node: plan, start of the engine, progress, failures
engine.py   a process on the login node: Snakemake, which submits the chunks of the plan
Snakefile   one rule for each data set, for the engine and again in each job
chunk.py    a process on a node: makes the runs of a chunk one after the other
plan.py     the chunks, their resources and their files
slurm.py    what Slurm needs beyond Snakemake's plugin
"""
