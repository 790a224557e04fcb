# SPDX-License-Identifier: Apache-2.0
"""Makes the runs of a study on a cluster, by Snakemake.

launch.py      on the login node: start of Snakemake, progress, failures
submission.py  a process on the login node: Snakemake, which submits the jobs, and what Slurm needs besides
Snakefile      one rule for each data set, for this Snakemake and again in each job
jobs.py        the runs of each job, its resources, and its process on a node
"""
