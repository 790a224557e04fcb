# SPDX-License-Identifier: Apache-2.0
"""Makes the runs of a study: command line, pool of worker processes, making of one run."""
