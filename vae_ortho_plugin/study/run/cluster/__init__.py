# SPDX-License-Identifier: Apache-2.0
"""Makes the runs of a study on a cluster, by Snakemake."""
